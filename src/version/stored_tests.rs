//! Records of the journal are read as they were written, also those of before.

use super::{LabelPolicy, Restored, StoredTurn};
use crate::id::VersionNumber;

/// A publish, as the journal had it when manifests were copied for it; without its line breaks.
const BEFORE: [&str; 11] = [
    r#"{"note":{"by":"ann","reason":null,"at":5,"is_automatic":false},"request":["one","publish"#,
    r#" g"],"graphs":["default/g"],"command":"publish g","outcome":{"Ok":[[{"Published":{"graph"#,
    r#"":"default/g","version":1}}],{"revision":0,"version":null,"created":false,"left":null,"i"#,
    r#"s_repeat":false}]},"revisions":[0,1],"made":[{"graph":"default/g","number":1,"hash":[7,7"#,
    r#",7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7],"parent":null,"depth":0,"a"#,
    r#"uthor":"ann","note":"first","created_at":5,"tags":["stable"],"compatibility":null,"bindi"#,
    r#"ngs":[["default/child",2]],"document":"{\n  \"name\": \"g\",\n  \"namespace\": \"default"#,
    r#"\",\n  \"nodes\": [\n    {\n      \"node_name\": \"pass\",\n      \"identifier\": \"pass"#,
    r#"\",\n      \"inputs\": {\n        \"n\": 1\n      },\n      \"next_nodes\": []\n    }\n "#,
    r#" ]\n}"}],"promotions":[],"rollout":{"graph":"default/g","label":"default","version":1,"i"#,
    r#"s_begun":true}}"#,
];

#[test]
fn a_record_of_before_is_read_and_would_be_written_the_same() {
    let before = BEFORE.concat();
    let turn: StoredTurn = serde_json::from_str(&before).unwrap();
    assert_eq!(serde_json::to_string(&turn).unwrap(), before);
    let mut restored = Restored::default();
    restored.add(turn).unwrap();
    let version = restored.snapshot.version(&"g".into(), VersionNumber(1)).unwrap();
    let manifest = version.manifest();
    assert_eq!((manifest.author.as_deref(), manifest.hash), (Some("ann"), Some([7; 32])));
    assert_eq!(manifest.document().nodes.len(), 1);
    assert_eq!(restored.rollouts.len(), 1);
    assert!(!restored.rollouts[0].is_confirmed);
}

#[test]
fn a_policy_of_before_is_read_and_would_be_written_the_same() {
    for (keeps, policy) in [
        ("false", LabelPolicy::default()),
        ("true", LabelPolicy::default().without_auto_rollback_on_breaking()),
    ] {
        let before = format!(
            r#"{{"reject_breaking":false,"require_approval":null,"keep_breaking":{keeps}}}"#
        );
        assert_eq!(serde_json::from_str::<LabelPolicy>(&before).unwrap(), policy);
        assert_eq!(serde_json::to_string(&policy).unwrap(), before);
    }
}
