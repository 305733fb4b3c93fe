//! All edges of this machine, and how a new build is rolled over them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::edge::{Asker, Build, Edge, Level, try_out};

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What is wrong with a build shows by then, or under the load of all.
const SETTLING_MAX: Duration = Duration::from_secs(5);
/// So often in a row an edge may be found not ready before its build is taken back: a database may be away for a moment.
const MISSES_MAX: u32 = 3;

pub(super) struct Fleet {
    edges: Vec<Edge>,
    build: Build,
    state: PathBuf,
    stop_limit: Duration,
    asker: Asker,
}

impl Fleet {
    /// Nothing is started yet.
    pub(super) fn of(
        addresses: &[SocketAddr],
        build: Build,
        state: &Path,
        stop_limit: Duration,
        asker: Asker,
    ) -> Self {
        let edge = |address: &SocketAddr| Edge::at(*address, state.join(format!("edge-{}", address.port())));
        Self {
            edges: addresses.iter().map(edge).collect(),
            build,
            state: state.to_owned(),
            stop_limit,
            asker,
        }
    }

    /// Starts all edges and waits until each has all it needs.
    pub(super) fn start(&mut self) -> Result<()> {
        for edge in &mut self.edges {
            edge.start(&self.build)?;
        }
        self.edges.iter_mut().try_for_each(|edge| edge.wait_until(Level::Configured, &self.asker))
    }

    pub(super) fn edges(&self) -> &[Edge] {
        &self.edges
    }

    pub(super) fn build(&self) -> &Build {
        &self.build
    }

    /// Looks after those that ended by themselves.
    pub(super) fn tend(&mut self, say: &mut dyn FnMut(&str)) {
        for edge in &mut self.edges {
            match edge.tend(&self.build) {
                Ok(None) => {}
                Ok(Some(what)) => say(&what),
                Err(error) => say(&format!("{error:#}")),
            }
        }
    }

    /// Exchanges the edges for those of another build, one after the other. One that does not become ready, or dies while it is watched, has all go
    /// back to the build before.
    pub(super) fn roll(&mut self, build: Build, watch: Duration, say: &mut dyn FnMut(&str)) -> Result<()> {
        say(&format!("trying {} beside the edges", build.release.version()));
        try_out(&build, &self.state.join("trial"), Level::Ready, &self.asker)
            .context("nothing was changed")?;
        let before = std::mem::replace(&mut self.build, build);
        let mut touched = 0;
        let Err(error) = self.exchange(&mut touched, watch, say).and_then(|()| self.watch(watch)) else {
            return Ok(());
        };
        // Whoever is to stop starts nothing any more.
        self.asker.go_on()?;
        say(&format!("{error:#}: back to {}", before.release.version()));
        self.build = before;
        let mut failed = None;
        for index in 0..touched {
            // What is wrong may be the database, and then no edge is ready.
            if let Err(error) = self.exchange_one(index, Level::Configured, say) {
                say(&format!("{error:#}"));
                failed = Some(error);
            }
        }
        match failed {
            None => Err(error.context("the edges are again those that were before")),
            Some(failed) => {
                Err(failed.context("and what was before does not start either; it is tried again and again"))
            }
        }
    }

    /// Of so many it is not the build before that runs, whatever becomes of the rest.
    /// One that dies soon takes no other along: each is watched before the next is touched.
    fn exchange(&mut self, touched: &mut usize, watch: Duration, say: &mut dyn FnMut(&str)) -> Result<()> {
        for index in 0..self.edges.len() {
            if index > 0 {
                self.watch(watch.min(SETTLING_MAX))?;
            }
            *touched = index + 1;
            self.exchange_one(index, Level::Ready, say)?;
        }
        Ok(())
    }

    fn exchange_one(&mut self, index: usize, level: Level, say: &mut dyn FnMut(&str)) -> Result<()> {
        let edge = &mut self.edges[index];
        let was_orderly = edge.stop(self.stop_limit);
        edge.start(&self.build)?;
        edge.wait_until(level, &self.asker)?;
        let cut = if was_orderly { "" } else { "; requests still in flight were ended" };
        let version = self.build.release.version();
        say(&format!("the edge at {} is {version} now (process {}){cut}", edge.address(), edge.id()));
        Ok(())
    }

    fn watch(&mut self, length: Duration) -> Result<()> {
        let start = Instant::now();
        let mut misses = vec![0; self.edges.len()];
        while start.elapsed() < length {
            self.asker.go_on()?;
            for (edge, misses) in self.edges.iter_mut().zip(&mut misses) {
                if edge.has_died() {
                    bail!("the edge at {} died", edge.address());
                }
                *misses = if edge.is_ready(&self.asker) { 0 } else { *misses + 1 };
                if *misses >= MISSES_MAX {
                    bail!("the edge at {} is not ready any more", edge.address());
                }
            }
            thread::sleep(LOOK_EVERY.min(length.saturating_sub(start.elapsed())));
        }
        Ok(())
    }

    /// All at once; answers whether every request in flight could finish.
    pub(super) fn stop(&mut self) -> bool {
        self.edges.iter_mut().for_each(Edge::ask_to_stop);
        let deadline = Instant::now() + self.stop_limit;
        // Each is waited for, whatever became of the one before.
        self.edges.iter_mut().filter_map(|edge| (!edge.wait_stopped(deadline)).then_some(())).count() == 0
    }
}
