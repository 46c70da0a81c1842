// SPDX-License-Identifier: Apache-2.0
//! Processes that die at every boundary.

use super::*;

fn manner() -> Manner {
    Manner { late: 2, pending: 20, slow: 3, decoys: true, ..Manner::default() }
}

/// Runs a job until the process dies; drops all of it then.
async fn run_until(stage: &Stage, halt: &Arc<Halt>) {
    let agent = stage.process(halt.clone());
    let work = async {
        let made = make_all(&agent).await;
        assert!(made.is_ok(), "{made:?}");
        agent.release(JOB).await.unwrap();
    };
    tokio::select! {
        () = work => {}
        () = halt.died.notified() => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_at_any_boundary_leaves_nothing_that_a_reap_does_not_find() {
    let calm = Arc::<Halt>::default();
    run_until(&Stage::new(manner()), &calm).await;
    let boundaries = calm.passed();
    assert!(boundaries.len() > 150, "{}", boundaries.len());
    for (index, name) in boundaries.iter().enumerate() {
        // What only looks is not a boundary of its own.
        if name.contains("Describe") {
            continue;
        }
        let stage = Stage::new(manner());
        run_until(&stage, &Halt::at(index + 1)).await;
        stage.reap_all().await;
        stage.assert_clean(&format!("died at {index} {name}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reap_that_dies_itself_is_finished_by_the_next() {
    for first in [4, 9, 30, 61, 75] {
        for second in (1..60).step_by(7) {
            let stage = Stage::new(manner());
            run_until(&stage, &Halt::at(first)).await;
            let halt = Halt::at(second);
            let agent = stage.process(halt.clone());
            tokio::select! {
                _ = reap(&agent, agent.ledger.epoch()) => {}
                () = halt.died.notified() => {}
            }
            stage.reap_all().await;
            stage.assert_clean(&format!("died at {first}, then at {second}"));
        }
    }
}
