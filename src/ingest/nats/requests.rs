//! Core NATS: a request with measurements in, the answer out once they are durable.
//!
//! A message enters, `{"accepted","rejected","duplicates","sequence"}` leaves on its reply subject; one without a reply
//! subject is taken all the same. Several kpid share the work as one queue group. What is not answered was not taken.

use async_nats::{Client, Message, Subject};
use futures_util::stream::{FuturesUnordered, StreamExt, select};
use tokio::sync::watch;
use tracing::{debug, info};

use super::chunk::Chunk;
use super::{Door, NatsIngestError, flush, stopped};
use crate::ports::{IntakeError, Receipt};
use crate::wire::measurement::ReceiptBody;
use crate::wire::rejected::RefusalBody;
use crate::wire::subjects;

/// Which requests are taken, and how many at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestOptions {
    /// A stream takes `kpi.v1.measurement`, so requests come on `kpi.v1.request.measurement`.
    pub jetstream: bool,
    /// Requests on their way into the journal at the same time; further ones wait in the subscription.
    pub in_flight_max: usize,
    /// Those of one group share the requests: each is answered by one of them.
    pub queue_group: String,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self {
            jetstream: true,
            in_flight_max: 1_024,
            queue_group: "kpid".to_owned(),
        }
    }
}

/// Answers requests.
pub struct NatsRequests {
    client: Client,
    door: Door,
    options: RequestOptions,
}

impl NatsRequests {
    /// An answerer on a connection.
    pub fn new(client: Client, door: Door, options: RequestOptions) -> Self {
        Self { client, door, options }
    }

    /// The subject that requests come on; a KPI may follow it.
    pub fn subject(&self) -> &'static str {
        if self.options.jetstream {
            subjects::REQUEST
        } else {
            subjects::MEASUREMENT
        }
    }

    /// Takes and answers until `stop` turns true. What was taken by then is finished and answered. The subscription
    /// outlives connections.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), NatsIngestError> {
        let subject = self.subject();
        let bare = self.subscribe(subject.to_owned()).await?;
        let with_kpi = self.subscribe(format!("{subject}.>")).await?;
        info!(subject, "answering measurements on core NATS");
        let mut requests = select(bare, with_kpi);
        let mut in_flight = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                Some(()) = in_flight.next() => {}
                request = requests.next(), if in_flight.len() < self.options.in_flight_max => match request {
                    Some(request) => in_flight.push(self.serve(request)),
                    None => return Err(NatsIngestError::Client("the subscription for requests ended".to_owned())),
                },
            }
        }
        drop(requests);
        while in_flight.next().await.is_some() {}
        flush(&self.client).await;
        Ok(())
    }

    async fn subscribe(&self, subject: String) -> Result<async_nats::Subscriber, NatsIngestError> {
        let subscriber = self
            .client
            .queue_subscribe(subject, self.options.queue_group.clone())
            .await;
        subscriber.map_err(|error| NatsIngestError::Client(error.to_string()))
    }

    async fn serve(&self, request: Message) {
        let mut chunk = Chunk::default();
        let kpi = subjects::kpi_after(self.subject(), &request.subject);
        chunk.add(request.payload, request.headers.as_ref(), kpi, &self.door);
        chunk.count(&self.door);
        let (batch, origins) = chunk.into_batch(None, 0);
        let outcome = self.door.intake.submit(batch).await;
        if let Ok(receipt) = &outcome {
            origins.pass_on(&receipt.rejected, &self.door);
        }
        if let Some(reply) = request.reply {
            self.answer(reply, &outcome).await;
        }
    }

    async fn answer(&self, reply: Subject, outcome: &Result<Receipt, IntakeError>) {
        let sent = match answer_text(outcome) {
            Ok(text) => self
                .client
                .publish(reply, text.into())
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = sent {
            debug!(error, "answer not sent: the requester asks again");
        }
    }
}

fn answer_text(outcome: &Result<Receipt, IntakeError>) -> Result<Vec<u8>, serde_json::Error> {
    match outcome {
        Ok(receipt) => serde_json::to_vec(&ReceiptBody::new(
            receipt.accepted,
            receipt.duplicates,
            &receipt.rejected,
            receipt.sequence,
        )),
        Err(error) => serde_json::to_vec(&RefusalBody {
            error: error.to_string(),
        }),
    }
}
