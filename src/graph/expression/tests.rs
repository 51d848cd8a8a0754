//! Templates against one set of values.

use proptest::prelude::*;

use super::{
    ExpressionErrorKind, Form, Lookup, Part, ResolveError, ResolveTarget, Seen, Template,
    parse_text,
};
use crate::id::NodeIndex;
use crate::value::Value;

struct Values {
    one: Value,
    many: Vec<Value>,
}

impl Lookup for Values {
    fn node(&self, node: NodeIndex) -> Option<Seen<'_>> {
        match node.0 {
            0 => Some(Seen::One(&self.one)),
            1 => Some(Seen::Many(&self.many)),
            _ => None,
        }
    }

    fn store(&self, key: &str) -> Option<Value> {
        match key {
            "k" => Some("v".into()),
            "null" => Some(Value::Null),
            _ => None,
        }
    }
}

fn json(text: &str) -> Value {
    Value::from_json(text).unwrap()
}

fn resolve(template: &str, target: ResolveTarget) -> Result<Value, ResolveError> {
    let values = Values {
        one: json(r#"{"s": "text", "n": 1, "null": null, "a": {"b": [10, {"c": true}]}}"#),
        many: vec![json(r#"{"v": 1, "w": null}"#), json(r#"{"v": "2"}"#)],
    };
    let names = ["a", "many"];
    let template = Template::parse(&json(template)).unwrap();
    let bound = template.bind(&mut |name| {
        NodeIndex(names.iter().position(|known| *known == name).unwrap_or(9) as u32)
    });
    bound.resolve(&values, target)
}

fn check(template: &str, expected: &str) {
    assert_eq!(resolve(template, ResolveTarget::default()), Ok(json(expected)), "{template}");
}

#[test]
fn one_placeholder_keeps_its_type() {
    check(r#""${{a.outputs.n}}""#, "1");
    check(r#""${{ a.outputs.a.b.0 }}""#, "10");
    check(r#""${{ a . outputs .\n a . b . 0 }}""#, "10");
    check(r#""${{ store . k }}""#, "\"v\"");
    check(r#""${{a.outputs.a.b.1.c}}""#, "true");
    check(r#""${{store.k}}""#, "\"v\"");
    check(r#""${{many.outputs}}""#, r#"[{"v": 1, "w": null}, {"v": "2"}]"#);
    check(r#""${{many.outputs.v}}""#, r#"[1, "2"]"#);
    check(r#""${{a.outputs}}""#, r#"{"s":"text","n":1,"null":null,"a":{"b":[10,{"c":true}]}}"#);
}

#[test]
fn inside_text_a_string_is_verbatim_and_the_rest_compact_json() {
    check(
        r#""<${{a.outputs.s}}|${{a.outputs.n}}|${{a.outputs.a.b}}>""#,
        r#""<text|1|[10,{\"c\":true}]>""#,
    );
    check(r#"" ${{a.outputs.n}}""#, r#"" 1""#);
    check(r#""${{many.outputs.v}}!""#, r#""[1,\"2\"]!""#);
}

#[test]
fn strings_inside_arrays_and_objects_are_templates() {
    check(r#"[1, "${{a.outputs.n}}", {"x": ["${{store.k}}!"]}]"#, r#"[1, 1, {"x": ["v!"]}]"#);
    check(r#"{"${{a.outputs.n}}": null}"#, r#"{"${{a.outputs.n}}": null}"#);
    check("[null, 1.5]", "[null, 1.5]");
}

#[test]
fn a_text_field_turns_the_rest_into_text() {
    let text = ResolveTarget { string: true, nullable: false };
    for (template, expected) in [
        (r#""${{a.outputs.n}}""#, r#""1""#),
        (r#""${{a.outputs.a}}""#, r#""{\"b\":[10,{\"c\":true}]}""#),
        (r#""${{many.outputs.v}}""#, r#""[1,\"2\"]""#),
        ("12", r#""12""#),
        (r#"["${{a.outputs.n}}"]"#, r#""[1]""#),
        (r#""plain""#, r#""plain""#),
    ] {
        assert_eq!(resolve(template, text), Ok(json(expected)), "{template}");
    }
}

#[test]
fn null_goes_only_as_a_whole_into_a_field_that_allows_it() {
    let nullable = ResolveTarget { string: true, nullable: true };
    for (template, whole) in [
        (r#""${{a.outputs.null}}""#, true),
        (r#""${{store.null}}""#, true),
        ("null", true),
        (r#""${{a.outputs.null}}!""#, false),
        (r#"["${{a.outputs.null}}"]"#, false),
        (r#""${{many.outputs.w}}""#, false),
    ] {
        let found = resolve(template, nullable);
        assert_eq!(found.ok(), whole.then_some(Value::Null), "{template}");
        let error = resolve(template, ResolveTarget::default()).unwrap_err();
        assert!(matches!(error, ResolveError::ValueNotSet { .. }), "{template}: {error}");
    }
}

#[test]
fn what_is_missing_is_named() {
    for (template, expected) in [
        (r#""${{ghost.outputs.v}}""#, "`ghost` has no outputs on this branch"),
        (r#""${{a.outputs.x.y}}""#, "`a` returned no field `x.y`"),
        (r#""${{a.outputs.a.b.7}}""#, "`a` returned no field `a.b.7`"),
        (r#""${{a.outputs.s.x}}""#, "`a` returned no field `s.x`"),
        (r#""${{many.outputs.x}}""#, "`many` returned no field `x`"),
        (r#""${{store.ghost}}""#, "the store has no key `ghost`"),
        (r#""${{a.outputs.null}}""#, "`a.outputs.null` is not set"),
        ("null", "`null` is not set"),
    ] {
        let error = resolve(template, ResolveTarget::default()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{template}");
    }
}

#[test]
fn a_malformed_template_is_refused_with_its_place() {
    use ExpressionErrorKind::{BadPlaceholder, Unclosed};
    for (template, kind, position, path) in [
        (r#""${{""#, Unclosed, 0, ""),
        (r#""ab ${{a.outputs}} ${{b""#, Unclosed, 18, ""),
        (r#""a ${{a.outputs.x ${{b.outputs.y}}""#, Unclosed, 2, ""),
        (r#""${{a.outputs.${{b.outputs.y}}}}""#, Unclosed, 0, ""),
        (r#"{"x": [1, "${{}}"]}"#, BadPlaceholder, 0, "x.1"),
        (r#""${{a}}""#, BadPlaceholder, 0, ""),
        (r#""${{a.outputs.}}""#, BadPlaceholder, 0, ""),
        (r#""${{a.outputs.b..c}}""#, BadPlaceholder, 0, ""),
        (r#""${{a.output.b}}""#, BadPlaceholder, 0, ""),
        (r#""${{store.a.b}}""#, BadPlaceholder, 0, ""),
    ] {
        let error = Template::parse(&json(template)).unwrap_err();
        assert_eq!((error.kind, error.position, &*error.path), (kind, position, path));
    }
}

#[test]
fn a_malformed_placeholder_is_quoted() {
    let message = |template: &str| Template::parse(&template.into()).unwrap_err().to_string();
    assert_eq!(
        message("x ${{ a.output.b }}"),
        "`${{ a.output.b }}` at byte 2 is neither `node.outputs`, `node.outputs.field` nor \
         `store.key`"
    );
    let long = message(&format!("${{{{{}}}}}", "a".repeat(99)));
    assert!(long.starts_with(&format!("`${{{{{}...` at byte 0 is", "a".repeat(61))), "{long}");
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| json(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    assert!(Template::parse(&nested(64)).is_ok());
    let error = Template::parse(&nested(65)).unwrap_err();
    assert_eq!(error.kind, ExpressionErrorKind::TooDeep);
}

#[test]
fn a_million_openings_are_refused_at_once() {
    let bomb = Value::from("${{".repeat(1_000_000));
    assert_eq!(Template::parse(&bomb).unwrap_err().kind, ExpressionErrorKind::Unclosed);
    let bomb = Value::from("${{a.outputs}}".repeat(100_000));
    assert_eq!(Template::parse(&bomb).unwrap().references().count(), 100_000);
}

#[test]
fn a_constant_is_shared() {
    let value = json(r#"{"list": ["a", "b"]}"#);
    let template = Template::parse(&value).unwrap();
    assert_eq!(template.form(), Form::Constant(&value));
}

fn write(parts: &[Part]) -> String {
    let pieces = parts.iter().map(|part| match part.reference() {
        Some(reference) => format!("${{{{ {reference} }}}}"),
        None => match part {
            Part::Literal(text) => text.to_string(),
            _ => unreachable!("only literals have no reference"),
        },
    });
    pieces.collect()
}

fn placeholder() -> impl Strategy<Value = Part> {
    let node = "[a-zäß_][a-zäß0-9_ -]{0,6}[a-z0-9]";
    let field = proptest::option::of("[a-zé0-9]{1,4}(\\.[a-z0-9]{1,3}){0,2}");
    let node = node.prop_filter("reserved", |name| name != "store");
    prop_oneof![
        (node, field).prop_map(|(node, field)| Part::Node { node, field }),
        "[a-z_]{1,6}".prop_map(|key| Part::Store { key }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        first in "[^$]{0,9}",
        rest in prop::collection::vec((placeholder(), "[^$]{0,9}"), 0..6),
    ) {
        let mut parts = vec![Part::Literal(first.into())];
        for (part, literal) in rest {
            parts.extend([part, Part::Literal(literal.into())]);
        }
        prop_assert_eq!(parse_text(&write(&parts)), Ok(parts));
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "(\\$|\\{|\\}|\\.|a|store|outputs| |é){0,40}") {
        if let Ok(parts) = parse_text(&text) {
            prop_assert_eq!(parts.len() % 2, 1);
        }
    }
}
