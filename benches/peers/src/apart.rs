//! A peer in a process of its own, asked for one sample at a time.
//!
//! What one engine leaves in the allocator slows down those that come after it: 10,000 channels that
//! are made anew for each run doubled the times of others. So each peer has a heap of its own, and
//! only one process at a time has something to do.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

const READY: &str = "ready";

/// A peer that is warm and waits.
pub struct Apart {
    process: Child,
    questions: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Apart {
    /// Starts this program once more and waits until it is ready.
    pub fn start(arguments: &[&str]) -> Self {
        let program = std::env::current_exe().expect("the program has a path");
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts again");
        let questions = process.stdin.take();
        let stdout = process.stdout.take().expect("it is piped");
        let mut apart = Self { process, questions, answers: BufReader::new(stdout).lines() };
        assert_eq!(apart.answer(), READY);
        apart
    }

    /// Asks for a sample of a case.
    pub fn sample(&mut self, case: usize) -> Duration {
        let questions = self.questions.as_mut().expect("it is open until the end");
        writeln!(questions, "{case}").expect("the peer lives");
        Duration::from_nanos(self.answer().parse().expect("the answer is a number"))
    }

    fn answer(&mut self) -> String {
        self.answers.next().expect("the peer lives").expect("the answer is text")
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // The end of the questions is the end of the process; how it ends is of no interest.
        drop(self.questions.take());
        let _ = self.process.wait();
    }
}

/// Answers questions about cases, by number, until there are no more.
pub fn answer(sample: impl Fn(usize) -> Duration) {
    println!("{READY}");
    for case in std::io::stdin().lines() {
        let case: usize = case.expect("a question is text").parse().expect("it is a number");
        println!("{}", sample(case).as_nanos());
    }
}
