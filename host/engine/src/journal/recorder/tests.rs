//! Barriers: what is durable, what is shown, and what happens when neither can be.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::journal::sink::{Appending, MemorySink};
use crate::journal::{Begin, Journal};

/// Shows into a text.
#[derive(Default)]
struct Shown(Mutex<Vec<u8>>);

impl Shown {
    fn text(&self) -> String {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&shown).into_owned()
    }
}

impl Release for Shown {
    fn release(
        &self,
        text: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Option<String>>> + Send + '_>> {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.extend(text);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Fails when it is told to.
#[derive(Default)]
struct Breaks(MemorySink, AtomicBool);

impl Sink for Breaks {
    fn append(&self, batch: Batch) -> Appending {
        match self.1.load(Ordering::Relaxed) {
            false => self.0.append(batch),
            true => Box::pin(std::future::ready(Err(SinkError::Failed(
                "full".to_owned(),
            )))),
        }
    }
}

fn intent(id: u32) -> Intent {
    Intent {
        id,
        call: 1,
        name: "t.a".to_owned(),
        params: "{}".to_owned(),
        key: "00".to_owned(),
        once: true,
        definition: "d".to_owned(),
        attempt: 1,
    }
}

fn started(sink: Arc<dyn Sink>) -> (Arc<Recorder>, Arc<Shown>) {
    let journal = Journal::record(Begin::default(), sink);
    let shown = Arc::new(Shown::default());
    journal.recorder.set_up(Meter::new(), shown.clone());
    (journal.recorder, shown)
}

#[tokio::test]
async fn an_effect_and_output_wait_for_the_sink_and_reading_does_not() {
    let sink = MemorySink::default();
    let (recorder, shown) = started(Arc::new(sink.clone()));
    recorder.outcome(1, Ok("1".to_owned()), Duration::ZERO, false);
    recorder.own("kael.clock".to_owned(), Ok("{}".to_owned()));
    assert_eq!(sink.rows().len(), 0);
    recorder.print(b"a");
    recorder.show(1, &[7; 32]);
    assert_eq!(shown.text(), "");
    recorder.intent(intent(2)).await.expect("durable");
    assert_eq!((sink.rows().len(), shown.text().as_str()), (5, "a"));
    let log = Log::read(sink.rows()).expect("whole");
    assert!(matches!(log.entries()[3], Entry::Prints { count: 1, .. }));
    assert!(matches!(&log.entries()[4], Entry::Intent(intent) if intent.id == 2));
    // Output is shown soon without a barrier.
    recorder.print(b"b");
    for _ in 0..500 {
        if shown.text() == "ab" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(shown.text(), "ab");
}

/// Makes a batch durable when it is told to.
struct Slow {
    sink: MemorySink,
    go: tokio::sync::watch::Sender<bool>,
}

impl Sink for Slow {
    fn append(&self, batch: Batch) -> Appending {
        let (appending, mut go) = (self.sink.append(batch), self.go.subscribe());
        Box::pin(async move {
            go.wait_for(|go| *go).await.ok();
            appending.await
        })
    }
}

#[tokio::test]
async fn a_barrier_with_nothing_new_waits_for_the_one_before_it() {
    let (sink, go) = (
        MemorySink::default(),
        tokio::sync::watch::Sender::new(false),
    );
    let slow = Slow {
        sink: sink.clone(),
        go: go.clone(),
    };
    let (recorder, shown) = started(Arc::new(slow));
    recorder.print(b"a");
    let mut first = Box::pin(recorder.intent(intent(1)));
    let mut second = Box::pin(recorder.barrier());
    for waiting in [
        &mut first as &mut (dyn Future<Output = Barrier> + Unpin),
        &mut second,
    ] {
        let polled = tokio::time::timeout(Duration::from_millis(100), waiting).await;
        assert!(polled.is_err(), "the entries are not durable");
    }
    assert_eq!(shown.text(), "");
    go.send_replace(true);
    second.await.expect("durable");
    assert_eq!(shown.text(), "a");
    first.await.expect("durable");
    assert_eq!(Log::read(sink.rows()).expect("whole").entries().len(), 2);
}

#[tokio::test]
async fn what_is_not_durable_is_neither_begun_nor_shown() {
    let sink = Arc::new(Breaks::default());
    let (recorder, shown) = started(sink.clone());
    sink.1.store(true, Ordering::Relaxed);
    recorder.print(b"a");
    let failed = recorder.intent(intent(1)).await.expect_err("a full disk");
    assert_eq!(failed.to_string(), "full");
    assert_eq!(recorder.failure().await.to_string(), "full");
    // Nor later, when the disk has room: entries are missing.
    sink.1.store(false, Ordering::Relaxed);
    assert!(recorder.barrier().await.is_err());
    assert_eq!((sink.0.rows().len(), shown.text().as_str()), (0, ""));
}

#[tokio::test]
async fn a_run_that_was_taken_over_writes_nothing_more() {
    let sink = MemorySink::default();
    let (first, _) = started(Arc::new(sink.clone()));
    first.barrier().await.expect("durable");
    let log = Log::read(sink.rows()).expect("whole");
    let second = Journal::resume(log, Arc::new(sink.clone()), 2, 0).recorder;
    second.barrier().await.expect("durable");
    let fenced = first
        .intent(intent(1))
        .await
        .expect_err("it has lost the run");
    assert!(matches!(fenced, SinkError::Fenced));
    let log = Log::read(sink.rows()).expect("whole");
    assert!(matches!(
        log.entries()[..],
        [Entry::Begin(_), Entry::Takeover { epoch: 2 }]
    ));
}

#[test]
fn the_clock_of_a_run_never_goes_back() {
    let (recorder, _) = started(Arc::new(MemorySink::default()));
    assert_eq!(
        (
            recorder.clock(5.0),
            recorder.clock(3.0),
            recorder.clock(6.0)
        ),
        (5.0, 5.0, 6.0)
    );
}
