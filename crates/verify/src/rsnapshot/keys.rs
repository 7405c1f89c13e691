//! The words that rsnapshot 1.4 and 1.5 know. Any other makes it refuse to run.

const KEYS: [&str; 44] = [
    "backup",
    "backup_exec",
    "backup_script",
    "cmd_cp",
    "cmd_du",
    "cmd_logger",
    "cmd_postexec",
    "cmd_preexec",
    "cmd_rm",
    "cmd_rsnapshot_diff",
    "cmd_rsync",
    "cmd_ssh",
    "config_version",
    "du_args",
    "exclude",
    "exclude_file",
    "include",
    "include_conf",
    "include_file",
    "interval",
    "link_dest",
    "linux_lvm_cmd_lvcreate",
    "linux_lvm_cmd_lvremove",
    "linux_lvm_cmd_mount",
    "linux_lvm_cmd_umount",
    "linux_lvm_mountpath",
    "linux_lvm_snapshotname",
    "linux_lvm_snapshotsize",
    "linux_lvm_vgpath",
    "lockfile",
    "logfile",
    "loglevel",
    "no_create_root",
    "one_fs",
    "retain",
    "rsync_long_args",
    "rsync_numtries",
    "rsync_short_args",
    "snapshot_root",
    "ssh_args",
    "stop_on_stale_lockfile",
    "sync_first",
    "use_lazy_deletes",
    "verbose",
];
/// Commands of rsnapshot: no level may be called like one.
const RESERVED: [&str; 16] = [
    "archive",
    "check-config-version",
    "configtest",
    "delete",
    "diff",
    "du",
    "get-latest-snapshot",
    "help",
    "history",
    "list",
    "print-config",
    "restore",
    "rollback",
    "sync",
    "upgrade-config-file",
    "version",
];

pub(super) fn is_known(key: &str) -> bool {
    KEYS.contains(&key)
}

pub(super) fn is_reserved(level: &str) -> bool {
    RESERVED.contains(&level)
}
