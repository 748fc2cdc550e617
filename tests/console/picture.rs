//! The picture of what ends when: what it counts, and where it stops.

use chancery::domain::Span;
use chancery::engine::{Error, MOST_ENDINGS};
use chancery::x509::RevocationReason;
use time::Duration;

use crate::scene::Scene;
use crate::support::issued;

#[tokio::test]
async fn certificates_are_counted_by_the_week_in_which_they_end() {
    let scene = Scene::new().await;
    let otto = scene.world.session("otto");
    let id = scene.world.application.id;
    let ask = async |name: &str, days| issued(otto.submit(&scene.world.enrollment(name).ttl(Span::days(days))).await);
    for name in ["a.example.com", "b.example.com"] {
        ask(name, 10).await;
    }
    let revoked = ask("c.example.com", 10).await.record.id;
    otto.revoke(revoked, RevocationReason::Superseded).await.unwrap();
    ask("d.example.com", 20).await;
    let from = chancery::clock::Clock::now(&*scene.world.clock);
    let bounds = [from, from + Duration::WEEK, from + Duration::weeks(2), from + Duration::weeks(3)];
    let counted = otto.endings(Some(id), &bounds).await.unwrap();
    let counts: Vec<_> = counted.iter().map(|each| (each.open, each.settled, each.is_more)).collect();
    assert_eq!(counts, [(0, 0, false), (2, 1, false), (1, 0, false)]);
    let page = scene.visitor("otto").await.get("/certificates").await.page();
    assert!(page.contains("<svg") && page.contains("The same as a table"));
    let months = scene.visitor("otto").await.get("/certificates?by=month").await.page();
    assert!(months.contains("12 months") && months.contains(">1 Dec<"));
    for bounds in [&bounds[..1], &[bounds[1], bounds[0]]] {
        assert!(matches!(otto.endings(Some(id), bounds).await, Err(Error::Invalid { .. })));
    }
}

#[tokio::test]
async fn counting_stops() {
    let scene = Scene::new().await;
    let otto = scene.world.session("otto");
    for number in 0..=MOST_ENDINGS {
        let name = format!("n{number}.example.com");
        issued(otto.submit(&scene.world.enrollment(&name).ttl(Span::days(10))).await);
    }
    let from = chancery::clock::Clock::now(&*scene.world.clock);
    let counted = otto.endings(Some(scene.world.application.id), &[from, from + Duration::weeks(2)]).await.unwrap();
    assert_eq!((counted[0].open, counted[0].is_more), (MOST_ENDINGS, true));
    let page = scene.visitor("otto").await.get("/certificates").await.page();
    assert!(page.contains("250+") && page.contains("counting stopped at 250"), "{page}");
}
