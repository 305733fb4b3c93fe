//! Connections that ask one thing after the other.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use crate::asking::Asker;
use crate::plan::Plan;
use crate::timing::Timing;

/// An answer that takes longer is none.
const ANSWER_MAX: Duration = Duration::from_secs(30);

type Line = SendRequest<Full<Bytes>>;

/// All requests of a plan.
pub(crate) async fn run(plan: &Plan) -> Result<Timing> {
    let asker = Asker::new(plan)?;
    let mut lines = Vec::new();
    for _ in 0..plan.clients {
        lines.push(connect(&plan.address).await?);
    }
    let (next, start) = (Cell::new(0), Instant::now());
    let work = lines.into_iter().map(|line| ask_in_turn(plan, &asker, line, &next, start));
    let times = try_join_all(work).await?.concat();
    Ok(Timing::of(times, start.elapsed()))
}

async fn connect(address: &str) -> Result<Line> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("nobody is at {address}"))?;
    stream.set_nodelay(true)?;
    let (line, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with the line; what goes wrong on it, the request on it says.
    tokio::spawn(connection);
    Ok(line)
}

/// One client: it takes the next request that nobody has taken, until there is none.
async fn ask_in_turn(
    plan: &Plan,
    asker: &Asker<'_>,
    mut line: Line,
    next: &Cell<u64>,
    start: Instant,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    while next.get() < plan.count {
        let number = next.replace(next.get() + 1);
        let mut begun = Instant::now();
        if let Some(per_second) = plan.per_second {
            #[expect(clippy::cast_precision_loss, reason = "counts of a run are small")]
            let due = start + Duration::from_secs_f64(number as f64 / per_second);
            sleep_until(due).await;
            begun = due;
        }
        // A server may end a connection between two requests.
        if line.ready().await.is_err() {
            line = connect(&plan.address).await?;
        }
        let request = asker.request(plan.first + number)?;
        let answer = async {
            let (parts, body) = line.send_request(request).await?.into_parts();
            Ok::<_, hyper::Error>((parts.status, body.collect().await?.to_bytes()))
        };
        let (status, body) = timeout(ANSWER_MAX, answer).await.context("no answer in 30 s")??;
        times.push(begun.elapsed());
        asker.check(status, &body)?;
    }
    Ok(times)
}
