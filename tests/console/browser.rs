//! The console in a browser: people sign in, ask, see why not, approve, download and revoke; pictures are kept under
//! `target/console`, and an accessibility checker finds nothing.

use std::path::Path;
use std::process::Stdio;

use chancery::domain::Span;
use chancery::x509::RevocationReason;

use crate::scene::Scene;
use crate::sockets::served;
use crate::support::issued;
use crate::tools::{installed, tool};

/// An inventory that looks like one.
async fn furnished() -> Scene {
    let scene = Scene::new().await;
    let otto = scene.world.session("otto");
    for number in 0..46_u16 {
        let days = 3 + (number * 37) % 81;
        let name =
            format!("{}-{}.shop.example.com", ["web", "cart", "stock", "mail"][usize::from(number) % 4], number + 1);
        let enrollment = scene.world.enrollment(&name).ttl(Span::days(days)).tag("env", "production");
        let record = issued(otto.submit(&enrollment).await).record;
        if number % 11 == 5 {
            otto.revoke(record.id, RevocationReason::Superseded).await.unwrap();
        }
    }
    scene.world.engine.run_due(1000).await.unwrap();
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn people_work_in_a_browser() {
    let Some(_) = tool("chromium") else { return };
    // Playwright and axe are in one place: whoever installed one has installed both.
    let (Some(mut node), Some(packages)) = (tool("node"), installed("browser/node_modules")) else { return };
    let scene = furnished().await;
    let address = served(scene.router.clone()).await;
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/console");
    std::fs::create_dir_all(&kept).unwrap();
    node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/browser.cjs"))
        .env("NODE_PATH", packages)
        .env("CONSOLE_URL", format!("http://{address}/console"))
        .env("CONSOLE_OUT", kept)
        .env("CONSOLE_TOKENS", serde_json::to_string(&scene.tokens).unwrap())
        .env("CONSOLE_REQUEST", scene.waiting.to_string())
        .env("CONSOLE_CERTIFICATE", scene.valid.record.id.to_string())
        .env("CONSOLE_APPLICATION", scene.world.application.id.to_string())
        .env("CONSOLE_SYNC", scene.sync.to_string())
        .env("CONSOLE_ALERT", scene.alert.to_string())
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || node.output().unwrap()).await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{said}");
    assert!(output.status.success(), "{said}");
}
