//! The three versions of the analysis.

use hotgraph::{Document, Graph, GraphBuilder, NodeSpec, Value};

pub const NAME: &str = "analyse";

fn base() -> GraphBuilder {
    Document::builder(NAME).node(
        NodeSpec::new("list").handler("list_files").input("root", Value::from(".")).next("measure"),
    )
}

/// Lists, measures, folds.
pub fn version_1() -> Graph {
    base()
        .node(
            NodeSpec::new("measure")
                .handler("measure_file")
                .input("path", "${{list.outputs.path}}")
                .next("table"),
        )
        .node(
            NodeSpec::new("table")
                .handler("fold_table")
                .unites("list")
                .input("counts", "${{measure.outputs}}"),
        )
        .build()
        .into()
}

/// Counts TODO and FIXME marks too, with a merger that adds them up.
pub fn version_2() -> Graph {
    with_todos("count_todos").build().into()
}

/// As version 2, but the new handler fails on some files: the merger is skipped then and the run
/// fails, which is why this version is rolled back.
pub fn version_3() -> Graph {
    with_todos("count_todos_strictly").build().into()
}

fn with_todos(handler: &str) -> GraphBuilder {
    base()
        .node(
            NodeSpec::new("measure")
                .handler("measure_file")
                .input("path", "${{list.outputs.path}}")
                .next("todos"),
        )
        .node(
            NodeSpec::new("todos")
                .handler(handler)
                .input("path", "${{list.outputs.path}}")
                .retry(hotgraph::RetryPolicy::none())
                .next("table"),
        )
        .node(
            NodeSpec::new("table")
                .handler("fold_table_with_todos")
                .unites("list")
                .input("counts", "${{measure.outputs}}")
                .input("todos", "${{todos.outputs.todos}}"),
        )
}
