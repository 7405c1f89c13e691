//! Debian 12 and 13 with systemd as PID 1, mastmaintd installed from its package. `cargo xtask system` builds what
//! is tested here and runs these tests as root; a plain `cargo test` leaves them out.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it stands")]
#![expect(clippy::print_stderr, reason = "what a machine said is printed when its test failed")]

mod answering;
mod cgroup;
mod figures;
mod host;
mod image;
mod machine;
mod scenarios;
mod uploads;

/// Made while other tests wait, so that no container has to wait for it.
#[test]
#[ignore = "makes the images of the containers: cargo xtask test"]
fn images() {
    for debian in [image::Debian::Bookworm, image::Debian::Trixie] {
        image::base(debian);
    }
}

/// Every scenario on both releases, as `bookworm::FILE::SCENARIO`.
macro_rules! on_both {
    ($($file:ident: [$($scenario:ident),* $(,)?];)*) => {
        mod bookworm {
            $(mod $file {
                $(#[test]
                #[ignore = "boots a container: cargo xtask system"]
                fn $scenario() {
                    crate::scenarios::$file::$scenario(crate::image::Debian::Bookworm);
                })*
            })*
        }
        mod trixie {
            $(mod $file {
                $(#[test]
                #[ignore = "boots a container: cargo xtask system"]
                fn $scenario() {
                    crate::scenarios::$file::$scenario(crate::image::Debian::Trixie);
                })*
            })*
        }
    };
}

on_both! {
    package: [
        a_fresh_install_waits_for_its_config,
        purge_leaves_nothing,
        units_are_as_tight_as_designed,
        nothing_shipped_can_be_told_to_die,
        lintian_has_nothing_to_say,
    ];
    stage: [a_person_looks_at_a_backup_and_nothing_of_it_stays];
    schedule: [a_job_fires_by_schedule_and_after_a_reboot];
    services: [
        units_are_stopped_and_started,
        a_unit_that_the_config_does_not_name_is_refused,
        only_trustworthy_instances_of_a_template_are_touched,
    ];
    boot: [mastodon_is_started_from_its_backups, a_boot_that_is_killed_leaves_nothing];
    backups: [real_backups_are_proved_and_a_flipped_bit_is_named];
    brackets: [
        what_ran_before_comes_back_however_the_run_ends,
        a_service_that_does_not_come_back_is_said_and_tried_until_it_does,
        they_come_back_without_the_daemon_and_after_the_host,
        a_restart_of_the_host_ends_no_start,
        they_come_back_over_an_upgrade_and_a_removal,
        nothing_is_stopped_without_a_record,
    ];
    database: [
        files_and_database_come_back_as_one,
        what_does_not_belong_together_is_not_started,
    ];
    database_bare: [
        an_instance_that_is_gone_comes_back_as_its_backup_says,
        a_paused_pgbouncer_goes_on_whatever_is_killed,
    ];
    database_kills: [cut_anywhere_it_ends_as_one_set];
    database_room: [a_dump_is_loaded_in_its_room_and_switched_in];
    drill: [
        every_kind_of_dump_comes_to_life,
        a_drill_that_is_killed_leaves_nothing_and_reads_nothing_else,
    ];
    guard: [a_change_stays_or_is_put_back, a_host_that_goes_down_in_a_change_has_mastodon_as_before];
    guard_kills: [every_kill_in_a_change_ends_as_before_or_as_after];
    kills: [every_kill_in_a_bracket_ends_with_everything_up];
    outlive: [
        a_step_goes_on_over_a_restart,
        a_killed_daemon_adopts_its_step,
        an_upgrade_ends_no_step,
        a_power_cut_is_told_as_interrupted,
    ];
    notify: [
        a_failure_is_mailed_once_and_a_failing_mail_server_fails_no_job,
        what_is_started_while_the_daemon_is_away_is_mailed,
    ];
    proofs: [effects_are_looked_at_from_within_the_walls];
    reload: [a_bad_config_changes_nothing];
    probes: [what_breaks_is_seen_told_once_and_told_again_when_it_is_over];
    pull: [a_backup_server_sends_when_it_is_asked_and_by_itself];
    remote: [repositories_over_ssh_are_proved_with_keys_of_their_own];
    restore: [a_wrecked_mastodon_comes_back_and_nothing_is_lost];
    restore_kills: [cut_anywhere_it_is_finished_before_mastodon_starts];
    replay: [the_post_mortem];
    requires: [nothing_begins_while_something_is_in_its_way];
    rooms: [
        tootctl_reaches_other_servers_and_run_does_not,
        a_room_that_is_shut_fails_its_step_and_says_how_to_open_it,
        a_stalled_journal_delays_no_step,
        a_mastodon_of_another_user_elsewhere_gets_a_room_that_fits,
        rooms_open_in_no_time,
        walls_hold,
    ];
}
