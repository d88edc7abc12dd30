//! kpid: measurements in, rolling Balanced Scorecards and alerts out, and a history that can be replayed.
//!
//! A measurement comes in at the door, is admitted or refused, is made durable, is acknowledged, is folded into windows,
//! changes a score, may raise an alert, and is seen: receive -> admit -> append -> acknowledge -> apply -> publish -> show.
//! [`pipeline`] reads like that sentence.
//!
//! # The rooms, in reading order, and whom each may import
//!
//! | room | what it is | imports |
//! |---|---|---|
//! | [`domain`] | THE RULES: pure, no IO, no clock, no serde | nothing |
//! | [`ports`] | THE DOORS: what the corridor needs from the world | `domain` |
//! | [`pipeline`] | THE CORRIDOR: live and replay, one `apply` | `domain`, `ports`, `telemetry` |
//! | [`wire`] | THE LETTERS: every form that enters or leaves | `domain` |
//! | [`ingest`] | FRONT DOOR: HTTP, NATS, files | `domain`, `ports`, `telemetry`, `wire` |
//! | [`journal`] | ARCHIVE, the truth | `domain`, `ports`, `telemetry`, `wire` |
//! | [`state`] | SHELVES, all of it derivable | `domain`, `ports`, `telemetry`, `wire` |
//! | [`publish`] | POST ROOM: NATS | `domain`, `ports`, `telemetry`, `wire` |
//! | [`http`] | WINDOWS: API, stream, dashboard | `domain`, `ports`, `telemetry`, `wire` |
//! | [`simulation`] | the four teams, played | `domain` |
//! | [`settings`] | HOUSE RULES: defaults < file < environment < flags | `domain` |
//! | [`telemetry`] | METERS: logs, names of metrics | nothing |
//! | [`app`] | ARCHITECT: the only room that names adapters | all |
//! | [`cli`] | one file a command | `app`, `settings`, `wire` |
//!
//! Rooms on one level never import one another; `tests/tidy.rs` enforces it.
//!
//! # Absent on purpose
//!
//! 1. `domain` never learns the time, a path, a subject or a JSON field name.
//! 2. Nothing is acknowledged, published or shown before it is durable.
//! 3. One task owns the projection; readers hold an immutable picture; there is no lock around its state. A replay lends
//!    leaves to other cores, each to one, and waits for them.
//! 4. Replay is the live corridor without source and sink: one `apply`. It cannot publish: it is not given a publisher.
//! 5. `state` holds nothing that the journal cannot give back.
//! 6. After a failed append the process ends; it never retries an fsync.
//! 7. No queue, batch, body, label set or window without a named limit: in the settings where people may want another,
//!    else a constant with its reason.

pub mod app;
pub mod cli;
pub mod domain;
pub mod http;
pub mod ingest;
pub mod journal;
pub mod pipeline;
pub mod ports;
pub mod publish;
pub mod settings;
pub mod simulation;
pub mod state;
pub mod telemetry;
pub mod wire;
