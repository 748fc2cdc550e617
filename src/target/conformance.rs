//! The conformance kit of the target port: one named check a clause.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::{Bundle, Observed, SyncTarget, TargetError};
use crate::domain::{KeyNeed, RemoteName, RemoteRef, Withdrawal};

/// One check and what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The clause of the contract.
    pub clause: &'static str,
    /// What was seen instead, if the clause does not hold.
    pub failure: Option<String>,
}

/// Runs every check on a target that is empty as far as the kit's names go (they begin with `kit`), and leaves it so.
///
/// `bundles` are two certificates with their keys that the target takes.
pub async fn run(target: &dyn SyncTarget, bundles: &[Bundle; 2]) -> Vec<Finding> {
    let kit = Kit { target, bundles };
    let mut findings = vec![
        Finding { clause: "limits make sense", failure: kit.limits().err() },
        Finding { clause: "what was never deployed is absent", failure: kit.absent("kit0").await.err() },
        Finding { clause: "what was deployed is observed", failure: kit.deployed().await.err() },
        Finding { clause: "deploying again changes nothing", failure: kit.repeated().await.err() },
        Finding { clause: "what replaces keeps the identity", failure: kit.replaced().await.err() },
        Finding { clause: "a deployment whose answer was lost may be repeated", failure: kit.lost().await.err() },
        Finding { clause: "names are apart", failure: kit.apart().await.err() },
        Finding { clause: "names beyond the limits are refused", failure: kit.beyond().await.err() },
        Finding { clause: "a missing key is refused where one is required", failure: kit.without_key().await.err() },
        Finding { clause: "a dropped call leaves the target usable", failure: kit.dropped().await.err() },
    ];
    if target.limits().withdrawal == Withdrawal::Possible {
        findings.push(Finding { clause: "what was withdrawn is absent", failure: kit.withdrawn().await.err() });
        findings.push(Finding { clause: "withdrawing may be repeated", failure: kit.withdrawn_again().await.err() });
        let failure = kit.withdrawn_by_name().await.err();
        findings.push(Finding { clause: "the name is enough to withdraw", failure });
        findings.push(Finding { clause: "what was withdrawn may come again", failure: kit.again().await.err() });
        kit.tidy().await;
    }
    findings
}

/// Panics with every clause that does not hold.
///
/// # Panics
/// If a finding is a failure.
pub fn assert_passed(findings: &[Finding]) {
    let failed = |finding: &Finding| finding.failure.as_ref().map(|seen| format!("{}: {seen}", finding.clause));
    let failures: Vec<String> = findings.iter().filter_map(failed).collect();
    assert!(failures.is_empty(), "the target breaks its contract:\n{}", failures.join("\n"));
}

struct Kit<'k> {
    target: &'k dyn SyncTarget,
    bundles: &'k [Bundle; 2],
}

/// Passed, or what was seen instead.
type Outcome = Result<(), String>;

const NAMES: [&str; 6] = ["kit0", "kit1", "kit2", "kit3", "kit4", "kit5"];

impl Kit<'_> {
    fn limits(&self) -> Outcome {
        let names = &self.target.limits().names;
        ensure((8..=512).contains(&names.max_length), || format!("names of {} characters", names.max_length))?;
        let before = self.target.limits().clone();
        ensure(*self.target.limits() == before, || "they change".to_owned())?;
        names.check(&name("kit0")?).map_err(|error| error.to_string())
    }

    async fn absent(&self, at: &str) -> Outcome {
        let seen = self.target.observe(&RemoteRef::named(name(at)?)).await;
        ensure(seen == Ok(Observed::Absent), || format!("{at}: {seen:?}"))
    }

    async fn holds(&self, remote: &RemoteRef, which: usize) -> Outcome {
        let fingerprint = *self.bundles[which].leaf.fingerprint();
        let seen = self.target.observe(remote).await;
        ensure(seen == Ok(Observed::Present { fingerprint }), || format!("{remote}: {seen:?}"))
    }

    async fn put(&self, at: &str, which: usize, previous: Option<&RemoteRef>) -> Result<RemoteRef, String> {
        let name = name(at)?;
        let remote = self.target.deploy(&self.bundles[which], &name, previous).await.map_err(said)?;
        ensure(remote.name == name, || format!("{at} became {}", remote.name))?;
        Ok(remote)
    }

    async fn deployed(&self) -> Outcome {
        let remote = self.put("kit1", 0, None).await?;
        self.holds(&remote, 0).await?;
        self.holds(&RemoteRef::named(remote.name), 0).await
    }

    async fn repeated(&self) -> Outcome {
        let first = self.put("kit1", 0, None).await?;
        let second = self.put("kit1", 0, Some(&first)).await?;
        ensure(first == second, || format!("{first:?} became {second:?}"))?;
        self.holds(&first, 0).await
    }

    async fn replaced(&self) -> Outcome {
        let first = self.put("kit1", 0, None).await?;
        let second = self.put("kit1", 1, Some(&first)).await?;
        ensure(first == second, || format!("{first:?} became {second:?}"))?;
        self.holds(&first, 1).await
    }

    async fn lost(&self) -> Outcome {
        let first = self.put("kit2", 0, None).await?;
        let second = self.put("kit2", 1, None).await?;
        ensure(first == second, || format!("{first:?} became {second:?}"))?;
        self.holds(&first, 1).await
    }

    async fn apart(&self) -> Outcome {
        let first = self.put("kit3", 0, None).await?;
        let second = self.put("kit4", 1, None).await?;
        self.holds(&first, 0).await?;
        self.holds(&second, 1).await
    }

    async fn beyond(&self) -> Outcome {
        let limits = self.target.limits();
        let long = "k".repeat(limits.names.max_length + 1);
        let names = [long.as_str(), "../kit0", "kit0/x", "kit0\"", ".kit0"];
        let beyond = names.into_iter().filter_map(|text| text.parse::<RemoteName>().ok());
        for name in beyond.filter(|name| limits.names.check(name).is_err()) {
            let answer = self.target.deploy(&self.bundles[0], &name, None).await;
            ensure(matches!(answer, Err(TargetError::Refused { .. })), || format!("{name}: {answer:?}"))?;
        }
        Ok(())
    }

    async fn without_key(&self) -> Outcome {
        let Bundle { certificate, leaf, chain, tags, .. } = &self.bundles[0];
        let (leaf, chain, tags) = (leaf.clone(), chain.clone(), tags.clone());
        let bare = Bundle { certificate: *certificate, leaf, chain, key: None, tags };
        if self.target.limits().key != KeyNeed::Required {
            return Ok(());
        }
        let answer = self.target.deploy(&bare, &name("kit0")?, None).await;
        ensure(matches!(answer, Err(TargetError::Refused { .. })), || format!("{answer:?}"))?;
        self.absent("kit0").await
    }

    async fn dropped(&self) -> Outcome {
        let name = name("kit5")?;
        poll_once(self.target.deploy(&self.bundles[0], &name, None)).await;
        poll_once(self.target.observe(&RemoteRef::named(name.clone()))).await;
        let remote = self.put("kit5", 1, None).await?;
        self.holds(&remote, 1).await
    }

    async fn withdrawn(&self) -> Outcome {
        let remote = self.put("kit1", 0, None).await?;
        self.target.withdraw(&remote).await.map_err(said)?;
        self.absent("kit1").await
    }

    async fn withdrawn_again(&self) -> Outcome {
        let remote = self.put("kit1", 0, None).await?;
        self.target.withdraw(&remote).await.map_err(said)?;
        self.target.withdraw(&remote).await.map_err(said)?;
        self.target.withdraw(&RemoteRef::named(name("kit0")?)).await.map_err(said)
    }

    async fn withdrawn_by_name(&self) -> Outcome {
        self.put("kit2", 0, None).await?;
        self.target.withdraw(&RemoteRef::named(name("kit2")?)).await.map_err(said)?;
        self.absent("kit2").await
    }

    async fn again(&self) -> Outcome {
        let remote = self.put("kit2", 1, None).await?;
        self.holds(&remote, 1).await
    }

    async fn tidy(&self) {
        for at in NAMES.iter().filter_map(|text| name(text).ok()) {
            // What is left shows in the next run of the kit.
            let _ = self.target.withdraw(&RemoteRef::named(at)).await;
        }
    }
}

fn name(text: &str) -> Result<RemoteName, String> {
    text.parse().map_err(|error| format!("{error}"))
}

fn said(error: TargetError) -> String {
    format!("a call failed that should have succeeded: {error}")
}

fn ensure(holds: bool, seen: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(seen()) }
}

/// Begins a call and drops it.
async fn poll_once<F: Future>(call: F) {
    let mut call = pin!(call);
    poll_fn(|context| {
        let _ = call.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}
