//! What everybody can ask over HTTP: admission, bodies, routes, answers, errors. Uses `engine` and what is below it.

pub mod admission;
pub mod answer;
pub mod body;
pub mod counting;
pub mod error;
pub mod html;
pub mod log;
pub mod merchant;
pub mod routes;
