//! The handlers of the analysis.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures_util::stream;
use hotgraph::{BuildError, Emit, Handler, NodeError, Runtime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::files::{self, Counts};

#[derive(Deserialize, JsonSchema)]
struct Tree {
    root: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct File {
    path: String,
}

#[derive(Serialize, JsonSchema)]
struct Todos {
    todos: u64,
}

#[derive(Deserialize, JsonSchema)]
struct Measured {
    counts: Counts,
}

#[derive(Deserialize, JsonSchema)]
struct MeasuredWithTodos {
    counts: Counts,
    todos: u64,
}

/// The sums of one language.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sums {
    pub files: u64,
    pub bytes: u64,
    pub lines: u64,
    pub words: u64,
    pub longest: u64,
    pub todos: Option<u64>,
}

/// The result: sums per language.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Table {
    pub languages: BTreeMap<String, Sums>,
}

impl Table {
    pub fn add(&mut self, counts: &Counts, todos: Option<u64>) {
        let sums = self.languages.entry(counts.language.clone()).or_default();
        sums.files += 1;
        sums.bytes += counts.bytes;
        sums.lines += counts.lines;
        sums.words += counts.words;
        sums.longest = sums.longest.max(counts.longest);
        if let Some(todos) = todos {
            *sums.todos.get_or_insert(0) += todos;
        }
    }
}

/// A file on which the strict handler of version 3 fails.
fn is_refused(path: &Path) -> bool {
    path.to_string_lossy().len().is_multiple_of(7)
}

pub async fn runtime() -> Result<Runtime, BuildError> {
    let list = |tree: Tree| async move {
        let files = files::list(&PathBuf::from(tree.root));
        let paths = files.map(|path| Ok(File { path: path.to_string_lossy().into_owned() }));
        Ok(Emit::stream(stream::iter(paths)))
    };
    let measure = |file: File| async move { Ok(files::measure(Path::new(&file.path))?) };
    let todos =
        |file: File| async move { Ok(Todos { todos: files::todos(Path::new(&file.path))? }) };
    let strictly = |file: File| async move {
        match is_refused(Path::new(&file.path)) {
            true => Err(NodeError::new(format_args!("refused {}", file.path))),
            false => Ok(Todos { todos: files::todos(Path::new(&file.path))? }),
        }
    };
    let add = |table: &mut Table, one: Measured| {
        table.add(&one.counts, None);
        Ok(())
    };
    let add_with_todos = |table: &mut Table, one: MeasuredWithTodos| {
        table.add(&one.counts, Some(one.todos));
        Ok(())
    };
    Runtime::builder()
        .handler(Handler::many("list_files", list))
        .handler(Handler::one("measure_file", measure))
        .handler(Handler::one("count_todos", todos))
        .handler(Handler::one("count_todos_strictly", strictly))
        .handler(Handler::fold("fold_table", Table::default, add, Ok))
        .handler(Handler::fold("fold_table_with_todos", Table::default, add_with_todos, Ok))
        .build()
        .await
}
