//! A scorecard's page of the past: at an instant, as far as was known at another.
//!
//! Two fields of a form enter; the picture, a board of the definitions of that time and words that say what is seen leave.
//! A page of the past follows no stream: what is drawn on it does not change.

use std::sync::Arc;

use super::format;
use crate::domain::board::{Board, Picture};
use crate::domain::id::InstanceId;
use crate::domain::instant::Instant;
use crate::http::Windows;
use crate::http::params::Params;
use crate::http::problem::ProblemResponse;
use crate::http::scorecards;
use crate::ports::{KnownQuery, PicturesQuery};
use crate::wire::alert::node_link;

/// The two instants, as far as they are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PastWanted {
    /// The instant that is looked at.
    pub at: Option<Instant>,
    /// Facts recorded later count for nothing.
    pub known_at: Option<Instant>,
}

/// What a page says of the past that it shows, and the form that asks for another.
#[derive(Debug, Default)]
pub struct PastForm {
    /// What is seen; `None` on a page of now.
    pub words: Option<String>,
    /// Value of the first field.
    pub at: String,
    /// Value of the second.
    pub known_at: String,
    /// The page of now.
    pub now: String,
    /// Whatever else the address has, to be sent along.
    pub instance: Option<String>,
    /// Where differences are listed.
    pub restatement: String,
}

impl PastWanted {
    /// `at` and `known_at` of a query.
    pub fn read(params: &Params, now: Instant) -> Result<Self, ProblemResponse> {
        Ok(Self {
            at: params.field_instant("at")?,
            known_at: params.known_at(now)?,
        })
    }

    /// Whether it is now.
    pub fn is_now(self) -> bool {
        self == Self::default()
    }

    /// The picture, and what stands for the board around it.
    pub(in crate::http) async fn look(
        self,
        windows: &Windows,
        board: &Arc<Board>,
        (id, instance): (&str, Option<InstanceId>),
    ) -> Result<(Arc<Picture>, Arc<Board>), ProblemResponse> {
        let scorecard = id.to_owned();
        let (picture, catalog) = match self {
            Self {
                at: None,
                known_at: None,
            } => {
                let picture = scorecards::picture(windows, board, id, instance).await?;
                return Ok((picture, Arc::clone(board)));
            }
            Self {
                at,
                known_at: Some(known_at),
            } => {
                let query = KnownQuery {
                    scorecard,
                    instance,
                    at,
                    known_at,
                };
                let known = windows.views.hindsight().picture(query).await?;
                (known.answer, known.catalog)
            }
            Self { at: Some(at), .. } => {
                scorecards::overall(board, id)?;
                let query = PicturesQuery {
                    scorecard,
                    instance,
                    at: vec![at],
                };
                let picture = windows.views.pictures(query).await?.into_iter().next();
                let none = || ProblemResponse::unknown(format!("scorecard `{id}` has no picture at {at}"));
                (picture.ok_or_else(none)?, Arc::clone(&board.catalog))
            }
        };
        let around = Board {
            sequence: picture.sequence,
            at: picture.at,
            scorecards: board.scorecards.clone(),
            ..Board::empty(catalog)
        };
        Ok((Arc::new(picture), Arc::new(around)))
    }

    /// The form, for the page of a scorecard or an instance.
    pub fn form(self, picture: &Picture) -> PastForm {
        let root = picture
            .nodes
            .first()
            .map(|node| node.path.to_string())
            .unwrap_or_default();
        let page = node_link(&root).split('#').next().unwrap_or_default().to_owned();
        let (path, query) = page.split_once('?').unwrap_or((&page, ""));
        let field = |instant: Option<Instant>| instant.map(format::field).unwrap_or_default();
        PastForm {
            words: self.words(),
            at: field(self.at),
            known_at: field(self.known_at),
            instance: picture.instance.as_ref().map(|name| name.as_str().to_owned()),
            restatement: match query {
                "" => format!("{path}/restatement"),
                query => format!("{path}/restatement?{query}"),
            },
            now: page,
        }
    }

    /// Parameters of an address that asks for the same.
    pub fn parameters(self) -> String {
        let parameters = [("at", self.at), ("known_at", self.known_at)];
        let given = parameters
            .iter()
            .filter_map(|(name, instant)| Some(format!("{name}={}", (*instant)?)));
        given.collect::<Vec<_>>().join("&")
    }

    fn words(self) -> Option<String> {
        match (self.at.map(format::instant), self.known_at.map(format::instant)) {
            (None, None) => None,
            (Some(at), None) => Some(format!("You see {at}, with everything that is known today.")),
            (None, Some(known_at)) => Some(format!(
                "You see what this page showed on {known_at}, without what became known later."
            )),
            (Some(at), Some(known_at)) => Some(format!("You see {at}, as far as it was known on {known_at}.")),
        }
    }
}
