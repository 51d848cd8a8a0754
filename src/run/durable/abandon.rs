//! The end of a run that was stopped: what had not ended is cancelled, as its lanes did.

use super::open_fan::OpenFan;
use super::replay::Replay;
use crate::run::status::StateStatus;
use crate::run::unites::Verdict;
use crate::run::walk::Walker;

impl Replay<'_> {
    /// Ends what had not ended when the run was stopped, as its lanes did.
    pub(super) fn abandon(&mut self) {
        // Their numbers are not on record.
        self.ground.states.take_up_to(self.last_state);
        for open in std::mem::take(&mut self.fans).into_values() {
            self.abandon_fanout(&open);
        }
        for open in std::mem::take(&mut self.resumables).into_values() {
            self.abandon_resumable(&open);
        }
        loop {
            for (execution, _) in std::mem::take(&mut self.waiting).into_values() {
                self.step(&[], |walker| walker.cancelled(execution, StateStatus::Created));
            }
            self.count();
            let verdicts = std::mem::take(&mut self.verdicts);
            if verdicts.is_empty() {
                return;
            }
            for verdict in verdicts.into_all() {
                match verdict {
                    Verdict::Fire(firing) => {
                        // It is not on record that it began, nor with which number.
                        let mut walker = Walker::new(self.ground, &mut self.batch, false);
                        let execution = walker.merged(*firing);
                        self.made(execution.into_iter().collect());
                    }
                    Verdict::Skip(skipping) => {
                        self.step(&[], |walker| walker.merger_skipped(*skipping));
                    }
                }
            }
        }
    }

    fn abandon_fanout(&mut self, open: &OpenFan) {
        let (own, left_out) = (&open.own, open.left_out());
        let all = open.drawn.len();
        self.step(&[], |walker| {
            if let Some(first) = left_out.first() {
                walker.cut_off(own, *first as u64);
            }
            if open.closed_at.is_none() {
                walker.closed(own, all as u64);
            }
            walker.forfeited(own, left_out.len());
        });
    }
}
