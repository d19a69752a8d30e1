//! Which entries somebody asks for: the parameters of a query.

use std::collections::BTreeMap;

use url::form_urlencoded;
use x402_escrow_interface::Address;
use x402_escrow_wire::{
    field::FieldError,
    text::{Hex32, Key},
};

use super::{Filter, Place, day_of};
use crate::payment::Outcome;

/// How many entries are answered where the query does not say.
const DEFAULT_LIMIT: u32 = 50;

/// The most entries of an answer in JSON.
const MAXIMUM_LIMIT: u32 = 100;

/// The most of one in CSV.
const MAXIMUM_CSV_LIMIT: u32 = 1000;

/// The most days that totals are answered of.
const MAXIMUM_DAYS: i64 = 366;

/// How many days totals are answered of where the query does not say.
const DEFAULT_DAYS: i64 = 30;

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Which payments.
    pub filter: Filter,
    /// Those before this one.
    pub before: Place,
    /// At most so many.
    pub limit: u32,
    /// Whether as CSV.
    pub is_csv: bool,
}

/// What a page for people is asked to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageParameters {
    /// What was typed into the search field.
    pub search: String,
    /// What the payments came to.
    pub outcome: Option<Outcome>,
    /// Those before this one.
    pub before: Option<Place>,
}

impl PageParameters {
    /// Reads a query.
    ///
    /// # Errors
    /// If a parameter is unknown, given twice or malformed; the error names it.
    pub fn read(query: &str) -> Result<Self, FieldError> {
        let mut parameters = Parameters::read(query)?;
        let read = Self {
            search: parameters.take("search")?.unwrap_or_default(),
            outcome: parameters.take("outcome")?,
            before: parameters.take("before")?,
        };
        parameters.end(&["expires", "authorizer"])?;
        Ok(read)
    }
}

/// The days that totals are asked for, counted from 1970, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first.
    pub first_day: i64,
    /// The last.
    pub last_day: i64,
}

impl Page {
    /// Reads a query. `expires` and `authorizer`, by which it is signed, are not looked at.
    ///
    /// # Errors
    /// If a parameter is unknown, given twice or malformed; the error names it.
    pub fn read(query: &str) -> Result<Self, FieldError> {
        let mut parameters = Parameters::read(query)?;
        let format = parameters.take::<String>("format")?;
        let is_csv = match format.as_deref() {
            None | Some("json") => false,
            Some("csv") => true,
            Some(other) => return Err(wrong("format", format!("must be json or csv, is {other:?}"))),
        };
        let maximum = if is_csv { MAXIMUM_CSV_LIMIT } else { MAXIMUM_LIMIT };
        let limit = parameters.take("limit")?.unwrap_or(DEFAULT_LIMIT);
        if !(1..=maximum).contains(&limit) {
            return Err(wrong("limit", format!("must be 1 to {maximum}, is {limit}")));
        }
        let filter = Filter {
            receiver_authorizer: None,
            outcome: parameters.take("outcome")?,
            from: parameters.take("from")?,
            to: parameters.take("to")?,
            asset: parameters.take::<Key>("asset")?.map(Address::from),
            payer: parameters.take::<Key>("payer")?.map(Address::from),
            resource_hash: parameters.take::<Hex32>("resourceHash")?.map(|hash| hash.0),
            url: parameters.take("url")?,
            text: None,
        };
        let before = parameters.take("before")?.unwrap_or(Place::END);
        parameters.end(&["expires", "authorizer"])?;
        Ok(Self { filter, before, limit, is_csv })
    }
}

impl Period {
    /// Reads the days of a query for totals: `from` and `to` are unix seconds, and count with their whole days.
    ///
    /// # Errors
    /// If a parameter is unknown, given twice or malformed, or that is too long; the error names it.
    pub fn read(query: &str, now: i64) -> Result<Self, FieldError> {
        let mut parameters = Parameters::read(query)?;
        let last_day = day_of(parameters.take("to")?.unwrap_or(now));
        let first_day = parameters.take("from")?.map_or(last_day - (DEFAULT_DAYS - 1), day_of);
        parameters.end(&["expires", "authorizer"])?;
        if first_day > last_day {
            return Err(wrong("from", "is after the last day".to_owned()));
        }
        if last_day - first_day >= MAXIMUM_DAYS {
            return Err(wrong("from", format!("totals are of at most {MAXIMUM_DAYS} days; ask for fewer")));
        }
        Ok(Self { first_day, last_day })
    }

    /// The last `days` days before the end of the one that `now` (unix seconds) is in.
    pub fn until(now: i64, days: i64) -> Self {
        let last_day = day_of(now);
        Self { first_day: last_day.saturating_sub(days.saturating_sub(1)), last_day }
    }
}

/// Reads the URL of a webhook out of a query.
///
/// # Errors
/// If it is missing, or another parameter is there; the error names it.
pub fn webhook_url(query: &str) -> Result<String, FieldError> {
    let mut parameters = Parameters::read(query)?;
    let url = parameters.take("url")?.ok_or_else(|| wrong("url", "must be there".to_owned()))?;
    parameters.end(&["expires", "authorizer"])?;
    Ok(url)
}

/// Writes parameters of a query.
pub fn parameters<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The parameters that nobody has taken yet.
struct Parameters(BTreeMap<String, String>);

impl Parameters {
    fn read(query: &str) -> Result<Self, FieldError> {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if parameters.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(wrong(&name, "is given twice".to_owned()));
            }
        }
        Ok(Self(parameters))
    }

    fn take<T: std::str::FromStr<Err: ToString>>(&mut self, name: &str) -> Result<Option<T>, FieldError> {
        let value = self.0.remove(name).filter(|value| !value.is_empty());
        value.map(|value| value.parse().map_err(|error: T::Err| wrong(name, error.to_string()))).transpose()
    }

    fn end(self, signed: &[&str]) -> Result<(), FieldError> {
        let unknown = self.0.into_keys().find(|name| !signed.contains(&name.as_str()));
        unknown.map_or(Ok(()), |name| Err(wrong(&name, "is no parameter of this route".to_owned())))
    }
}

fn wrong(field: &str, message: String) -> FieldError {
    FieldError { field: field.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::DAY_SECONDS;

    #[test]
    fn a_query_is_read_and_a_bad_parameter_is_named() {
        let page = Page::read("outcome=partly_paid&from=5&limit=7&format=csv&expires=1").unwrap();
        assert_eq!((page.filter.outcome, page.filter.from), (Some(Outcome::PartlyPaid), Some(5)));
        assert_eq!((page.limit, page.is_csv, page.before), (7, true, Place::END));
        let id = "ab".repeat(32);
        let before = Page::read(&format!("before=12-{id}")).unwrap().before;
        assert_eq!((before.accepted_at, before.id), (12, [0xab; 32]));
        assert_eq!(before.to_string(), format!("12-{id}"));
        for (query, field) in [
            ("outcome=done", "outcome"),
            ("from=today", "from"),
            ("asset=x", "asset"),
            ("payer=1", "payer"),
            ("resourceHash=0", "resourceHash"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=1001&format=csv", "limit"),
            ("before=7", "before"),
            ("format=xml", "format"),
            ("from=1&from=2", "from"),
            ("page=2", "page"),
        ] {
            assert_eq!(Page::read(query).unwrap_err().field, field, "{query}");
        }
    }

    #[test]
    fn totals_are_of_whole_days_and_not_too_many() {
        let now = 100 * DAY_SECONDS + 5;
        let period = |query: &str| Period::read(query, now).map(|period| (period.first_day, period.last_day));
        assert_eq!(period(""), Ok((71, 100)));
        assert_eq!(period("from=86399&to=86400"), Ok((0, 1)));
        for query in ["from=200&to=-90000", "from=0&to=31622400", "days=5", "to=x"] {
            assert!(period(query).is_err(), "{query}");
        }
    }
}
