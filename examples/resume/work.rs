//! The graph of the analysis, and its handlers.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hotgraph::{Document, Emit, Handler, NodeSpec, Runtime, RuntimeBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::files;

pub const NAME: &str = "analyse";

/// How many files this process has measured.
static MEASURED: AtomicU64 = AtomicU64::new(0);

#[derive(Deserialize, JsonSchema)]
struct Tree {
    root: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct File {
    path: String,
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Lines {
    lines: u64,
}

pub fn measured() -> u64 {
    MEASURED.load(Ordering::Relaxed)
}

pub fn graph(measure: &str) -> Document {
    Document::builder(NAME)
        .node(NodeSpec::new("list").handler("list_files").input("root", ".").next("measure"))
        .node(
            NodeSpec::new("measure")
                .handler(measure)
                .input("path", "${{list.outputs.path}}")
                .next("sum"),
        )
        .node(NodeSpec::new("sum").input("lines", "${{measure.outputs.lines}}").unites("list"))
        .in_flight(8)
        .build()
}

pub fn runtime() -> RuntimeBuilder {
    let list = |tree: Tree| async move {
        let files = files::list(&PathBuf::from(tree.root));
        Ok(Emit::each(files.map(|path| File { path: path.to_string_lossy().into_owned() })))
    };
    let measure = |file: File| async move {
        // A slow disk, so that there is a half way.
        tokio::time::sleep(Duration::from_millis(2)).await;
        MEASURED.fetch_add(1, Ordering::Relaxed);
        Ok(Lines { lines: files::measure(Path::new(&file.path))?.lines })
    };
    let add = |sum: &mut Lines, one: Lines| {
        sum.lines += one.lines;
        Ok(())
    };
    Runtime::builder()
        .handler(Handler::many("list_files", list))
        .handler(Handler::one("measure_file", measure))
        .handler(Handler::one("measure_file_again", measure))
        .handler(Handler::fold("sum", Lines::default, add, Ok))
}
