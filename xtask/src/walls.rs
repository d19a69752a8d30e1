//! Walls: which crate, folder and file may import which. Tests read the source of the whole
//! repository and name every import that breaks a rule.
//!
//! The rules are in [`crates`], [`pure`], [`layers`], [`cycles`], [`documented`], [`architecture`] and
//! [`faults`].
//! Beneath them, [`repository`] finds the sources, [`source`] reads a crate's modules, [`names`]
//! follows a path to the module it leads to, and [`typescript`] reads imports of TypeScript.

mod architecture;
mod crates;
mod cycles;
mod documented;
mod faults;
mod graph;
mod layers;
mod mentions;
mod names;
mod pure;
mod repository;
mod source;
mod typescript;
