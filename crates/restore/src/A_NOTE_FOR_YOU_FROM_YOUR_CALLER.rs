(Do not commit this file; delete it when read.) Additions to the interface, decided after you began:
1. Marker: before the first effect of `switch`/`back` a durable empty file `STATE/switching/RUN` is made (dir fsynced), removed (dir fsynced) after the last one.
   The systemctl room starts no services while a marker is there; a unit `mastmaintd-resume.service` (early at boot, before all
   normal services, so Mastodon is not running yet) calls the new verb
   `mastmaint-restore --state DIR resume` (no ORDER; everything it needs is in the journals; for each marker it finishes the switch or the going back, milliseconds;
   exit 0 only if no marker is left).
2. Order inside a switch: exchange live first or move public/system first, as you like, but assume that in between the host went down, Mastodon was
   started by somebody and wrote uploads into a fresh `public/system`: if both trees have one when the switch goes on, merge (rename every file that the
   other lacks; on a name in both keep the newer as the name and the other as NAME.before-RUN), never lose either.
3. `switch` and `back` may also be asked by `--run RUN` without ORDER (journal knows all): used for `mastmaintctl rollback RUN` and `prune RUN`. So: `(switch|back|prune) (ORDER | --run RUN)`.
4. `prepare` of a second run for the same backup+generation whose staging from an earlier rehearsal is complete (journal Prepared, identity equal, options with_* equal):
   take it over (rename RUN1 dir to RUN2, journal of RUN1 → Pruned{taken over}) after checking the copy against its manifest again, instead of copying again.
5. Your first engine is merged into /work/main (branch `glue`); `words::restore` there has three more items: `Restoring::switching(state)`, `Restoring::copy(live, run)`,
   `Restoring::BESIDE` (your `STAGING`): please take /work/main/crates/words/src/restore.rs and use them.
6. Points 1 and 3 (markers, `resume`, `--run RUN`) are what the glue stands on: please do them NEXT, commit, then go on with tar/restic/borg/stdin.
7. `resume`: if finishing forth fails (a tree is not where it can be, the exchange is refused), it goes back instead, so that today's uploads are in today's tree again; only if
   that fails too the marker stays and the exit is 1. The same in `switch` itself: an error after uploads were moved and before the exchange puts them back before it returns.
