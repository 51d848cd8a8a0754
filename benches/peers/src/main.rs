//! hotgraph beside its peers, in one binary.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml` prints the table of peers; with
//! `-- bars` after it, what hotgraph is held to. `-- bars fanout` measures the rows with that word in
//! their names, `REPETITIONS=3` before it is faster, and `--features mimalloc` has another allocator.

mod apart;
mod bars;
mod measure;
mod peers;
mod table;
mod work;

use std::process::ExitCode;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let tokio = tokio::runtime::Runtime::new().expect("tokio starts");
    let _context = tokio.enter();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => table::print(),
        [table::COMMAND, row] => table::answer(row.parse().expect("a row is a number")),
        [bars::COMMAND, ref rest @ ..] => return bars::command(rest),
        _ => {
            eprintln!("no command `{}`: none prints the table of peers", arguments.join(" "));
            eprintln!("`bars` measures what hotgraph is held to, and `bars <word>..` a part of it");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
