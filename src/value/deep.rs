//! Records of a journal, however deep the values in them are nested.
//!
//! A parser gives up at 128 levels, of which the record itself takes some; values in a run may have more.
//! Nothing bounds those that are made, so that a record of more levels than are read here is written,
//! and strands its run in the next process.

use serde::de::DeserializeOwned;

/// The deepest record that is read: one that was altered does not use up the stack.
const RECORD_LEVELS: usize = 512;

/// Reads JSON that was written to a journal.
pub(crate) fn read_record<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let record = serde_json::from_slice(body).or_else(|error| match levels(body) {
        0..=RECORD_LEVELS => read_deep(body),
        _ => Err(error),
    });
    record.map_err(|error| error.to_string())
}

fn read_deep<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    json.disable_recursion_limit();
    let record = T::deserialize(&mut json)?;
    json.end().map(|()| record)
}

/// How deep arrays and objects are nested, at the most.
fn levels(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut is_text, mut is_escaped) = (false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => depth += 1,
            b']' | b'}' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::read_record;
    use crate::value::Value;

    #[test]
    fn a_record_is_read_unless_it_is_too_deep() {
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for levels in [1, 127, 128, 512] {
            let record = nested(levels);
            assert_eq!(read_record::<Value>(record.as_bytes()).unwrap().to_json(), record);
        }
        for refused in [nested(513), nested(1_000_000), "[".repeat(1_000_000), "[".repeat(200)] {
            assert!(read_record::<Value>(refused.as_bytes()).is_err());
        }
        let text = format!(r#"["\"{}"]"#, "[".repeat(1000));
        assert!(read_record::<Value>(text.as_bytes()).is_ok());
    }
}
