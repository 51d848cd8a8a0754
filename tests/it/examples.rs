//! Every example runs and says what it should.
//!
//! `cargo test` builds the examples. Where only this test binary was built these tests fail, and
//! say how to build the rest.

use std::path::PathBuf;
use std::process::{Command, Output};

use hotgraph::{Arity, Context, Document, Emit, Handler, NodeSpec, Runtime, Schema, Value};

fn run(name: &str, arguments: &[&str]) -> Output {
    let test = std::env::current_exe().unwrap();
    let built: PathBuf = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        built.exists(),
        "the example `{name}` is not built: `cargo test` builds it, and so does \
         `cargo build --examples` with the profile of this test"
    );
    Command::new(built).args(arguments).output().unwrap()
}

fn check(name: &str, expected: &str) {
    let output = run(name, &[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.trim(), expected.trim());
}

#[test]
fn hello_greets_on_two_versions() {
    check("hello", "v1: hello, Ada\nv2: ** hello, Ada **");
}

#[test]
fn fanout_joins_twice() {
    check("fanout", "each: {\"lengths\":[8,3,7,5,4,2,2]}\nsum:  {\"length\":31}");
}

#[test]
fn retry_and_prune_counts_attempts() {
    let expected = "SUCCESS: [{\"number\":2},{\"number\":4},{\"number\":6}]\n\
                    pruned 3, failed attempts 6";
    check("retry_and_prune", expected);
}

#[test]
fn pause_and_cancel_ends_cancelled() {
    let expected = "paused: PAUSED\nresumed: RUNNING\nended: CANCELLED\ncancelled states: true";
    check("pause_and_cancel", expected);
}

#[test]
fn subgraph_is_bound_at_publish() {
    check("subgraph", "bound at publish: 1070\npublished again:  1190");
}

#[test]
fn exosphere_template_runs_unchanged() {
    check("exosphere_template", "SUCCESS: [\"A\", \"B\", \"C\"]");
}

#[test]
fn approval_waits_and_prints_the_diff() {
    let expected = "v1 -> v2: BREAKING for callers, BREAKING for runs\n    \
                    BREAKING for callers: the output of `total`: the field `cents` is gone\n    \
                    MINOR_CHANGE for callers: the output of `total`: the field `euros` is new\n    \
                    BREAKING for runs: node `total`: its output: the field `cents` is gone\n    \
                    MINOR_CHANGE for runs: node `total`: its output: the field `euros` is new\n\
                    v2 waits:\n~ node `total`\n    node_name: \"cents\" -> \"euros\"\n\n\
                    v2, active on `default` (revision 5)";
    check("approval", expected);
}

#[test]
fn release_swaps_two_graphs_together() {
    let expected = "revision 5: old:hello -> hello\nrevision 6: new:hello -> hello";
    check("release", expected);
}

#[test]
fn blue_green_promotes_by_hand_and_drains() {
    let expected = "staged:   v1, active on `default` (revision 3)\n\
                    promoted: v2, active on `default` (revision 4)\n\
                    draining: 1 live on v1\n\
                    drained:  {\"render\": {\"color\":\"blue\"}}";
    check("blue_green", expected);
}

#[test]
fn canary_is_taken_back_by_itself_and_loses_no_run() {
    let output = run("canary", &[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.starts_with("Aborted(\"not worse: "), "{said}");
    assert!(said.contains("lost: 0, new starts get v1"), "{said}");
}

#[test]
fn cursor_goes_on_behind_what_is_on_record() {
    check("cursor", "4 rows, drawn after None\n10 rows, drawn after Some(3)\nSUCCESS");
}

#[test]
fn storage_lists_reads_and_deletes() {
    let expected = "at first: 4 runs, 0 of them unfinished\n\
                    order of 0: FAILED on v1\n  \
                    Began: then 0 states\n  \
                    Returned: then 1 states\n  \
                    Faulted: then 2 states\n  \
                    Ended: then 2 states\n\
                    deleted: 1\n\
                    deleted but for the latest: 2\n\
                    then: 1 runs, 0 of them unfinished\n\
                    deleted by age: 1\n\
                    in the end: 0 runs, 0 of them unfinished";
    check("storage", expected);
}

#[test]
fn session_goes_on_in_another_process() {
    let expected = "mon: step 1, sum 10\ntue: step 2, sum 15\ntue: step 2, sum 15\n\
                    another process\ntue: step 2, sum 15\nwed: step 3, sum 12\n\
                    after the end: session `ada` is finished";
    check("session", expected);
}

/// A folder of its own below the build output, removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        // It is there only if an earlier test run was cut off.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is removed by the next run.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn hot_swap_agrees_with_a_plain_count() {
    let output = run("hot_swap", &[env!("CARGO_MANIFEST_DIR")]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for line in ["run 1 used v1", "run 2 used v2", "run 3 used v3", "run 4 used v2"] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn hot_swap_takes_an_empty_tree() {
    let folder = Folder::new("hot_swap_empty");
    let output = run("hot_swap", &[folder.path()]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("0 files"), "{said}");
}

#[test]
fn hot_swap_says_what_is_wrong_with_a_missing_directory() {
    let output = run("hot_swap", &["/no/such/directory"]);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(complaint.contains("cannot analyse `/no/such/directory`"), "{complaint}");
}

#[cfg(feature = "sqlite")]
#[test]
fn resume_goes_on_after_a_kill() {
    let output = run("resume", &[concat!(env!("CARGO_MANIFEST_DIR"), "/src")]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("the first process ended: signal: 9"), "{said}");
    assert!(said.contains("v1 ended as SUCCESS"), "{said}");
    assert!(said.contains("new runs start on v2"), "{said}");
}

#[tokio::test]
async fn the_graph_of_the_readme_is_the_same_as_text() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```yaml\n").unwrap();
    let (yaml, _) = rest.split_once("```").unwrap();
    let any = |name: &str, arity| {
        let body = |_: Value, _: Context| async { Ok(Emit::nothing()) };
        Handler::dynamic(name, (Schema::any(), Schema::any()), arity, body)
    };
    let builder = Runtime::builder().handler(any("split", Arity::Many));
    let builder = builder.handler(any("shout", Arity::One)).handler(any("join", Arity::One));
    let runtime = builder.build().await.unwrap();
    let built = Document::builder("loud")
        .node(NodeSpec::new("split").input("text", "").next("shout"))
        .node(NodeSpec::new("shout").input("word", "${{split.outputs.word}}").next("join"))
        .node(NodeSpec::new("join").unites("split").input("words", "${{shout.outputs.word}}"));
    let built = runtime.publish(built.build()).await.unwrap();
    let read = runtime.publish(Document::from_yaml(yaml).unwrap()).await.unwrap();
    assert_eq!((built.version.0, read.version.0), (1, 1));
}
