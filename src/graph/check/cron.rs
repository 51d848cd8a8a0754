//! Whether a cron expression means something: as croniter reads five fields, which Exosphere asks.

use croner::parser::{CronParser, Seconds, Year};

/// The longest cron expression; no five fields need more.
const LONGEST: usize = 1024;

/// Says why an expression is none, if it is none.
pub(super) fn check_cron(expression: &str) -> Result<(), String> {
    if expression.len() > LONGEST {
        return Err(format!("longer than {LONGEST} bytes"));
    }
    let fields: Vec<_> = expression.split_whitespace().map(spelled_out).collect();
    // The parser passes over an item that is not there.
    if fields.iter().any(|field| field.split(',').any(str::is_empty)) {
        return Err("an item of a list is empty".to_owned());
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(&fields.join(" ")).map(drop).map_err(|error| error.to_string())
}

/// A field with the ends of its ranges, and its steps, as items of their own.
///
/// The parser knows neither `22-6` nor `5/15`, nor `*` in a list. Where an expression only has to be valid,
/// it is if all that it is made of is.
fn spelled_out(field: &str) -> String {
    if field.eq_ignore_ascii_case("@midnight") {
        return "@daily".to_owned();
    }
    let items = field.split(',').map(|item| match item.split_once('/') {
        Some((range, step)) => format!("{},*/{step}", ends(range)),
        None => ends(item),
    });
    items.collect::<Vec<_>>().join(",")
}

fn ends(range: &str) -> String {
    match range.split_once('-') {
        _ if range == "*" => "*/1".to_owned(),
        // Whose end is no number, as of a range of ranges, is refused by that.
        Some((from, to)) if !to.contains('-') => format!("{from},{to}"),
        _ => range.to_owned(),
    }
}
