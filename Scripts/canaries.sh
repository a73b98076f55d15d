#!/usr/bin/env bash
# Proves that the torture tests catch a broken engine: breaks a copy of it in one place after the other, and sees that the
# suite named for it fails. First the suites must pass on the engine as it is.
#
# usage: Scripts/canaries.sh [NAME…]      only the canaries named; default: all
#        Scripts/canaries.sh --check      builds nothing: only sees that each pattern matches exactly once
#        Scripts/canaries.sh --quick NAME…  does not run the suites on the engine as it is: whoever calls has just done that
#
# IMMUTA_CANARY_BUILD_PATH  where to build (default: .build-canaries)
# IMMUTA_CANARY_TESTS       which test targets are built (default: "TortureTests ImmutaTests")
# IMMUTA_CANARY_TIMEOUT     seconds after which a suite counts as hanging (default: 180)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build_path="${IMMUTA_CANARY_BUILD_PATH:-$PWD/.build-canaries}"
export IMMUTA_TEST_TARGETS="${IMMUTA_CANARY_TESTS:-TortureTests ImmutaTests}"
patience="${IMMUTA_CANARY_TIMEOUT:-180}"
work="$(mktemp -d)"
copy="$build_path/package"
sources="Sources/Immuta"
checks_only=false
has_control=true
case "${1:-}" in
--check)
  checks_only=true
  shift
  ;;
--quick)
  has_control=false
  shift
  ;;
esac
wanted=" $* "
missed=0
tried=0
child=""

finish() {
  if [ -n "$child" ]; then pkill -s "$child" || true; fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

fail() {
  printf 'canaries.sh: %s\n' "$*" >&2
  exit 1
}

# The same place for every copy, so that what was built for the one before is used again.
copy_package() {
  rm -rf "$copy"
  mkdir -p "$copy"
  local file
  git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi
  done | tar --create --null --files-from - | tar --extract --directory "$copy"
}

build() {
  (cd "$copy" && swift build --build-tests --scratch-path "$build_path") >"$work/build.log" 2>&1
}

# run_suite FILTER [SECONDS]: whether the tests pass. A hang is ended.
run_suite() {
  local status=0
  # A session of its own: `swift test` starts the tests in another process group, which a hang would leave running.
  (cd "$copy" && exec setsid timeout --kill-after=5 "${2:-$patience}" swift test --skip-build --no-parallel \
    --disable-xctest --scratch-path "$build_path" --filter "$1") >"$work/test.log" 2>&1 &
  child=$!
  wait "$child" || status=$?
  if [ "$status" -ge 124 ]; then pkill -KILL -s "$child" || true; fi
  child=""
  return "$status"
}

# What made a suite fail: "hangs", or how many tests did not pass. Nothing, if it did not run.
reason() {
  if [ "$1" -ge 124 ] && [ "$1" -ne 134 ]; then
    echo "caught (hang)"
  elif grep -q 'Test run .* failed' "$work/test.log"; then
    echo "caught"
  elif grep -qE 'hangs, IMMUTA_SEED|[Ff]atal error|unexpected signal code' "$work/test.log"; then
    echo "caught (crash)"
  fi
}

row() { printf '%-14s %-46s %-15s %8s\n' "$@"; }

# Where a suite of random programs finds a canary only in some of its runs, IMMUTA_ROUNDS before it makes that run longer.
#
# canary NAME FILE FILTER PATTERN REPLACEMENT: PATTERN is a regular expression of Perl's that matches exactly once in FILE
# of the engine, which may be in any of its folders; REPLACEMENT is plain text.
canary() {
  local name="$1" file filter="$3" start="$SECONDS" status=0 matches verdict
  if [ "$wanted" != "  " ] && [[ "$wanted" != *" $name "* ]]; then return; fi
  tried=$((tried + 1))
  file="$(find "$root/$sources" -name "$2")"
  [ -f "$file" ] || fail "$name: $2 is gone; the canary must be updated"
  matches="$(PATTERN="$4" perl -0ne 'my $n = () = /$ENV{PATTERN}/g; print $n' "$file")"
  [ "$matches" = 1 ] || fail "$name: its pattern matches $matches times in $2; the canary must be updated"
  if "$checks_only"; then return; fi
  cp "$file" "$work/original"
  PATTERN="$4" REPLACEMENT="$5" perl -0pi -e 's/$ENV{PATTERN}/$ENV{REPLACEMENT}/' "$file"
  if ! build; then
    grep -m 3 'error:' "$work/build.log" >&2 || tail -n 20 "$work/build.log" >&2
    fail "$name: the broken engine does not compile; the canary must be updated"
  fi
  run_suite "$filter" || status=$?
  cp "$work/original" "$file"
  if [ "$status" -eq 0 ]; then
    grep -q 'Test run with [1-9]' "$work/test.log" || fail "$name: $filter names no test"
    verdict="NOT CAUGHT"
    missed=$((missed + 1))
  else
    verdict="$(reason "$status")"
    if [ -z "$verdict" ]; then
      tail -n 20 "$work/test.log" >&2
      fail "$name: the tests did not run"
    fi
  fi
  row "$name" "$filter" "$verdict" "$((SECONDS - start))"
  # What the suite said, so that one sees that it failed for the right reason.
  if [ "$status" -ne 0 ]; then
    grep -m 1 -oE 'Caught error: .*|hangs, IMMUTA_SEED.*|Expectation failed: .*|[Ff]atal error.*' "$work/test.log" |
      cut -c 1-240 | sed 's/^/    /' || true
  fi
}

# run_control: the suites must pass on the engine as it is.
run_control() {
  copy_package
  if ! "$has_control"; then
    row canary suite result seconds
    return
  fi
  build || {
    tail -n 20 "$work/build.log" >&2
    fail "the package does not build"
  }
  local control
  control='ModelTests/aLogHolds|PowerLossTests/(whatWasPromisedSurvives|aLog|aCompanion|aSegment|theName)|ProcessTests/(every|another)|DamageTests/aFlippedByte'
  control="$control|FailingCallTests/aFailedCall|HostileFilesTests|LossTests"
  run_suite "$control" $((4 * patience)) || {
    tail -n 40 "$work/test.log" >&2
    fail "the suites do not pass on the engine as it is, so failing proves nothing"
  }
  grep -q 'Test run with [1-9]' "$work/test.log" || fail "the suites hold no test"
  echo "The engine as it is passes. Now broken, in one place at a time:"
  row canary suite result seconds
}

root="$copy"
if "$checks_only"; then root="$PWD"; else run_control; fi

# Nothing is flushed, and everybody is told it was.
canary no-flush FlushTarget.swift 'PowerLossTests/whatWasPromisedSurvives' \
  'try files\.flush\(\)' ''
# The companion's pages are not given to the device before the one flush that is to cover both files.
canary write-back FlushPair.swift 'PowerLossTests/whatWasPromisedSurvives' \
  'guard try io\(companion\.finishWriteBack\(\)\) else' 'guard mayShare else'
# The companion grew, and the log's flush is thought to be enough.
canary new-blocks SegmentFiles.swift 'PowerLossTests/aCompanionThatGrew' \
  'io\(files\.companion\.fill\(through: entriesEnd\)\) \}\s+flushes\.noteNewBlocks\(\)' \
  'io(files.companion.fill(through: entriesEnd)) }'
# The checksum is of other bytes than the record's.
canary checksum SegmentWriter.swift 'ModelTests/aLogHolds' \
  'StagedRecord\(index: record\.index, checksum: record\.checksum\)' \
  'StagedRecord(index: record.index, checksum: record.checksum ^ 1)'
# An entry is written, and its record's bytes are not.
canary no-data SegmentFiles.swift 'ModelTests/aLogHolds' \
  'crc32c_copy_extend\(\s*checksum, memory \+ recordHeaderSize,' 'crc32c_extend(checksum,'
# COUNT is stored before the entries of the records it counts. The pause stands for a thread that is preempted between.
canary count-first SegmentWriter.swift 'ProcessTests/(every|another)' \
  'try storingEntries\(&self\)' \
  'try files.storeCount(count + added, lastIndex: lastIndex)
      for _ in 0..<200 { Thread.yield() }
      try storingEntries(&self)'
# Rolling back leaves what was staged: the next commit publishes it.
canary rollback SegmentWriter.swift 'ModelTests/aLogHolds' \
  'mutating func rollBack\(\) \{' 'mutating func rollBack() {
    open = nil
    if count >= 0 { return }'
# Some commits wake nobody.
canary wake-up LogWriter.swift 'ModelTests/aLogHolds' \
  'func announce\(_ count: Int\) \{' 'func announce(_ count: Int) {
    if count % 7 == 3 { return }'
# A thread that was woken late rests twice, and work is given to it after it has ended.
canary woken-late WorkThreads.swift 'WorkThreadsTests' \
  'if isOpened \{ return nil \}' 'if isOpened { return false }'
# What was opened in a folder stays open when the directory is closed.
canary still-open ClosedTogether.swift 'ClosedFilesTests' \
  'if let holder, !holder.add\(self\) \{ return nil \}' ''
# Small appends overtake those who need the turn.
canary fairness TurnQueue.swift 'FairnessTests' \
  'if isTaken \{ return nil \}\s+while head < tail \{' 'if isTaken { return nil }
    if mayAppend, let place = (head..<tail).first(where: { waiters[$0]?.append != nil }),
      let next = waiters.removeValue(forKey: place), let append = next.append
    {
      places[next.ticket] = nil
      isFree = places.isEmpty
      return .append(append, next.waiter, next.holder)
    }
    while head < tail {'
# Each small append that waits is given the turn.
canary convoy LogWriter+Turns.swift 'FairnessTests' \
  'nextTurn\(mayAppend: state\.isReady\(for: QueuedAppend\.largest\)\)' 'nextTurn(mayAppend: false)'
# A caller that gets the turn does not commit the records that wait for a flush: rolling back takes them back.
canary round-turn WriterState+Rounds.swift 'RoundTests' \
  'guard turns\.isFree else \{ return false \}\s+try\? commitAll\(\)' 'guard turns.isFree else { return false }'
# Closing takes them back.
canary round-closing WriterState.swift 'RoundTests' \
  'try\? commitRound\(\)\s+segment\.rollBack\(\)' 'segment.rollBack()'
# Recovery believes the entries, without a look at the records' bytes.
canary recovery Reconciliation+Crash.swift 'PowerLossTests/whatWasPromisedSurvives' \
  'try log\.checksum\(at: cursor\.index, size: place\.size\) == entry\.recordChecksum' 'entry.index >= 0'
# A reader compares no checksum.
canary reading RecordCheck.swift 'DamageTests/aFlippedByte' \
  'if computed != entry\.recordChecksum \{' 'if computed != entry.recordChecksum, number < 0 {'
# A stream compares no checksum of what it reads ahead.
canary read-ahead Chunk.swift 'DamageTests/aFlippedByte' \
  '== this\.recordChecksum else' '>= 0 else'
# The directory that names the files is not flushed.
canary directory OpenMark.swift 'PowerLossTests/(whatWasPromisedSurvives|aLog)' \
  'try io\(directory\.flushNames\(through: namesNoted\)\)' ''
# Segments are removed before it is stored that they are.
# shellcheck disable=SC2016
canary removed LogWriter+Retention.swift 'PowerLossTests/whatWasPromisedSurvives' \
  'try flusher\.noteRemoved\(removed\)((?:.|\n)*?)      for first in gone \{ try remove\(first\) \}' \
  'for first in sealed.remove(before: removed) { try remove(first) }
      try flusher.noteRemoved(removed)
      try keepMeta(flusher.companionHeader)'
# A record of the next segment is acknowledged, and the segment's name is not stable.
canary next-entry FlushTarget.swift 'PowerLossTests/theName' \
  'if let newNames \{ try io\(newNames\.flush\(\)\) \}' ''
# A header of a companion is written while the one before is not stable: a power cut may tear both.
canary both-headers CompanionKeeper.swift 'PowerLossTests/noMomentLosesBoth' \
  'if afterFlush, state\.flushed' 'if afterFlush, false, state.flushed'
# A segment is called sealed, and the name of the one after it is not stable.
canary next-name SealingSegment.swift 'PowerLossTests/theName' \
  'try io\(newNames\.flush\(\)\)' ''
# A crash came before a segment was sealed, and it is taken for one that was.
canary two-newest Opening+Rolled.swift 'PowerLossTests/aSegmentThatLost' \
  'guard let known, let header else' 'guard let known, let header, header.isClean else'
# A segment lost its last records, and the log goes on in the one after it.
canary gap Opening+Rolled.swift 'PowerLossTests/aSegmentThatLost' \
  'if end < newest\.first \{ try cutOffNewest\(&folder, after: end, &previous\) \}' ''
# The log's flush fails, and only the companion's is asked.
canary flush-error FlushPair.swift 'FailingCallTests/aFailedCall' \
  'try io\(file\.flush\(\)\) \} catch \{ failure = error \}' 'try io(file.flush()) } catch {}'
# Many logs that are closed together are cut and marked before they are flushed.
# shellcheck disable=SC2016
canary close-together LogWriter+Closing.swift 'ManyLogsTests/manyLogs' \
  'flush \{ \$0\.unflushedFiles \}' ''
# Many logs that are made together are marked as open, and the mark is not flushed.
# shellcheck disable=SC2016
canary mark-together LogWriter+Preparing.swift 'ManyLogsTests/manyLogs' \
  'marks\.flatMap \{ \[\$0\.log, \$0\.companion\] \}' 'marks.flatMap { [$0.log, $0.log] }'
# A snapshot says that one record more is in its state.
canary snapshot-position Snapshot.swift 'TortureTests\.ProjectionTests/theStateOfAKilled' \
  'storeInteger\(sequence, at: 32\)' 'storeInteger(sequence + 1, at: 32)'
# A snapshot counts, whatever record the log has in place of its last one.
canary snapshot-last Snapshot.swift 'TortureTests\.ProjectionTests/theStateAfterAPowerCut' \
  'if let last, let entry, !last' 'if let last, let entry, count < 0, !last'
# Segments were exchanged, and repair believes the logs.
canary exchanged SegmentPlace.swift 'LostSegmentTests/repairDoesNotBelieve' \
  'guard place\.isRolled, let header' 'guard false, let header'
# Another program appended to a sealed segment, and its record gets the number of another.
canary appended Repair.swift 'LostSegmentTests/whatAnotherProgramAppended' \
  'guard let end = place\.end, report' 'guard false, let end = place.end, report'
# A file after the end is taken for the newest segment by its name alone.
canary stray SegmentFolder.swift 'LostSegmentTests/aFileAfterTheEnd' \
  'guard let identity = known\.identity else' 'guard let identity = known.identity, false else'
# Whoever comes to the records of a damaged newest segment waits for them.
canary damaged-end OpenLog.swift 'DamagedEndTests/theRecordsBefore' \
  'if let endDamage \{ throw \.corrupted\(endDamage\) \}' ''
# A killed log that has just rolled is refused once its newest companion is lost.
canary unsealed-next SegmentFolder.swift 'DamagedEndTests/aKilledLog' \
  'if header == nil, try followsUnsealed\(segment, identity\) \{ return \}' ''
# A segment is marked as sealed before anything says which one comes after it.
canary marked-early SegmentWriter+Ends.swift 'DamagedEndTests/aKilledLog' \
  'try beforeMark\(\)((?:.|\n)*?)try keeper\.markClean\(count: count\)' 'try keeper.markClean(count: count)
    try beforeMark()'
# An append gets the error of a full file, and the log does not roll.
canary full-file LogWriter.swift 'FullCompanionTests/aLogThatRolls' \
  'if state\.rolls\(insteadOf: error\) \{ return nil \}' ''
# Nobody notices that the first segments are missing.
canary front SegmentFolder.swift 'LostSegmentTests/missingFirstSegments' \
  'guard folder != nil, let first = firsts\.first, first > removed' 'guard false, let first = firsts.first, first > removed'
# The files of a log that has rolled go one after the other, without a mark that it was removed.
canary removal-mark Removal.swift 'LostSegmentTests/aRemovalThatIsCutOff' \
  'if try !io\(files\.isBeingRemoved\(\)\), try' 'if false, try'
# A log's companion goes before it is certain that the log is gone.
canary removal-order Removal.swift 'ManyLogsTests/aLogThatIsBeingRemoved' \
  'try io\(directory\.removeIfPresent\(files\.log\)\)\s+try io\(directory\.flush\(\)\)' 'try io(directory.removeIfPresent(files.log))'
# A write fails, and the next append is taken all the same.
canary write-error SegmentFiles.swift 'FailingCallTests/aFailedCall' \
  'try body\(&self\)\s+\} catch \{\s+failure = error' 'try body(&self)
    } catch {'
# btrfs is taken for a file system that overwrites blocks where they are, also after `chattr +C`.
canary btrfs FileSystem.swift 'TortureTests\.FileSystemTests/aFullDisk' \
  'case FILE_SYSTEM_BTRFS: \.btrfs' 'case FILE_SYSTEM_BTRFS: .ext4'
# XFS is taken for one that shares no blocks.
canary xfs FileSystem.swift 'TortureTests\.FileSystemTests/aLogThatWasCopied' \
  'case FILE_SYSTEM_XFS_SHARING: \.xfsSharing' 'case FILE_SYSTEM_XFS_SHARING: .xfs'
# What is reserved is holes: on ext4 and in memory that finds no room when it is written.
canary reserve TailFile.swift 'TortureTests\.FileSystemTests/aFullDisk' \
  'try descriptor\.reserve\(from: start, count: wanted - start\)' 'try descriptor.truncate(to: wanted)'
# A step that had no room is tried again before each record.
canary steps TailFile.swift 'TortureTests\.FileSystemTests/anAlmost' \
  'largestStep = step' '_ = largestStep'
# What half a reservation took stays taken.
canary half-reserved TailFile.swift 'TortureTests\.FileSystemTests/halfAStep' \
  'try\? descriptor\.truncate\(to: reservedEnd\)' ''
# Space is reserved beyond the limit on file sizes.
canary size-limit SystemCalls.swift 'FileSizeLimitTests' \
  'let limit = Int\(clamping: file_size_limit\(\)\)' 'let limit = max(.max, Int(clamping: file_size_limit()))'
# Only whoever reserves space keeps to the limit on file sizes.
canary small-limit SystemCalls.swift 'FileSizeLimitTests' \
  'if end > knownSizeLimit\.load\(ordering: \.relaxed\) \{ try' 'if end < 0 { try'
# A file that cannot be mapped is an error.
canary no-mapping TailFile.swift 'FailingCallTests/whereFilesCannotBeMapped' \
  'where ErrorNumber\.cannotMap\(error\.errorNumber\)' 'where error.errorNumber < 0'

# The files have lost their names, and what is flushed to them is called stable.
canary lost-name FlushTarget.swift 'ProcessTests/whatIsLost' \
  'try io\(names\.check\(\)\)' ''
# The lock's descriptor is closed, and no mapping keeps its file open.
canary lock-mapping FileLock.swift 'ProcessTests/oneProcessWritesAtATime' \
  'held = \.mapped\(window, identity, directory\)' 'held = .free'
# Whoever comes second has the lock as well.
canary lock FileLock.swift 'ProcessTests/oneProcessWritesAtATime' \
  'guard try Self\.lock\(file, noteOffset\) else \{' 'guard try Self.lock(file, noteOffset) || true else {'
# A file in which nothing is a log's is taken for a damaged log.
canary no-log Reconciliation+Evidence.swift 'HostileFilesTests/whatNeverWas' \
  'try mayBeOfAnotherFormat\(\) \? \.agreement : \.none' '.agreement'
# Any companion is taken for the log's.
canary foreign CompanionOrigin.swift 'HostileFilesTests/anotherLogs' \
  'var isOfAnotherLog: Bool \{.*\}' 'var isOfAnotherLog: Bool { false }'
# Where the entries lead is not compared with where the log's own size fields lead.
canary foreign-places CompanionOrigin.swift 'UnclosedDamageTests/noCompanion' \
  'if !isAtEnd, let misled' 'if !isAtEnd, count < 0, let misled'
# Any COUNT of a log that was not closed is taken for one that a writer left.
canary unclosed Reconciliation+Count.swift 'UnclosedDamageTests/noSector' \
  'guard isMemoryWhole, let contradiction' 'guard isMemoryWhole, stable < 0, let contradiction'

# A follower takes whatever has the log's place for the log.
canary follower Anchors.swift 'FollowerTests/whatever' \
  'return try reader\.entries\(count - 1\.\.<count\)\.first == last' 'return true'
# A stream goes on in files that do not continue what it delivered.
canary continuity RecordCursor+Files.swift 'FollowerTests/whatever' \
  'if place > shared, try !isAfterAnchor\(in: current\)' 'if place < 0, try !isAfterAnchor(in: current)'
# A follower does not look for its files by their names.
canary names Follower.swift 'FollowerTests/whatever' \
  'return isDue \? try files\.isAsFound\(closely: looksAgain\) : true' 'return isDue || true'
# A COUNT that was wrong once is wrong for ever.
canary disbelief FollowedFiles+Count.swift 'FollowerTests/aRecordInPlaceOfATornOne' \
  'return try Appearance\(log, companion\) == disbelieved\.appearance' 'return true'
# Commits wake nobody in other processes.
canary followers WriterState.swift 'WakeUpTests/noCommitIsMissed' \
  'if wake\.isDue\(\) \{ wakeFollowers' 'if wake.isDue(), count < 0 { wakeFollowers'
# A follower sleeps at once, though the writer keeps a commit to itself.
canary sleep FollowPace.swift 'WakeUpTests/noCommitIsMissed' \
  'min\(4 \* pause, 4 \* Self\.longestPause\)' '4 * Self.longestPause'
# STABLE is believed, whatever it says.
canary stable CompanionHeader.swift 'HostileFilesTests/hostileNumbers' \
  'guard counts\.allSatisfy\(.*?\) else \{ return nil \}' ''
# The generation after the highest of all traps.
canary generation TwoSlots.swift 'HostileFilesTests/hostileNumbers' \
  'generation &\+ 1' 'generation + 1'
# An examination looks for every record that is promised.
canary promised Examination.swift 'HostileFilesTests/hostileNumbers' \
  'self\.count = min\(count, .*' 'self.count = count'
# The last record's entry may point anywhere.
canary place LogFormat.swift 'HostileFilesTests/aRecordDoesNot' \
  'headerSize \+ number \* recordHeaderSize' 'number < 0 ? 0 : Int.min'
# Without a companion, the place of every record is kept in memory.
canary hole EntryMarks.swift 'HostileFilesTests/aHole' \
  'firstStride: Int \{ 64 \}' 'firstStride: Int { 1 }'
# Entries that are made look like those that were written.
canary made CompanionEntry.swift 'LossTests' \
  'mark = isMade \? Self\.markOfMade : endsCommit' 'mark = endsCommit'
# Nothing is kept beside the companion.
canary meta LogKnowledge.swift 'LossTests' \
  'if meta\?\.meta == wanted \{ return \}' 'if wanted.removedCount >= 0 { return }'
# An encrypted record looks like any other.
canary recognition PayloadAppearance.swift 'LossTests' \
  'if unsafe Self\.isSealed\(bytes, size: size\) \{' 'if size < 0 {'
# Whatever codec is given is taken for the right one.
canary wrong-codec CodecCheck.swift 'LossTests' \
  'failure = failure \?\? corruption' 'return nil'
# Whoever expects a key's count looks before it has the turn.
canary key-turn KeyedLog+Append.swift 'KeysModelTests/manyWhoExpect' \
  'if actual == count \{ return' 'if actual >= count { return'
# The counts of what was removed go with the files of its segments.
canary key-removed KeyIndex+Files.swift 'KeysModelTests/anIndexSays' \
  'let files = removedFiles\(before: first\)\n    let isScattered' 'let files: [KeyFile] = []
    let isScattered'
# A slot of a file of keys is believed, whatever its checksum.
canary key-slot KeyFileFormat.swift 'KeysModelTests/anIndexSays' \
  'guard bytes\.count >= Self\.size, unsafe KeyFileChecksum\.of\(bytes, at: place\) == bytes\.loadInteger\(at: 28\) else \{\n      return nil\n    \}\n    hash' 'guard bytes.count >= Self.size else { return nil }
    hash'
# A partition goes to another member while messages of it are worked on.
canary group-idle Consumer+Partition.swift 'GroupModelTests' \
  'var isIdle: Bool \{ nextSequence <= position \}' 'var isIdle: Bool { true }'
# A member sees itself alone.
canary group-count GroupFolder.swift 'GroupModelTests' \
  'number == seat\.number \|\| holder\(of: number, in: folder\) != nil' 'number == seat.number'
# Members hear nothing of each other.
canary group-events GroupWatch.swift 'KilledMembersTests/thePartitions' \
  'func filesMayHaveChanged\(\) \{ .*' 'func filesMayHaveChanged() {}'
# A consumer that is opened again writes over the wrong slot of its position.
canary position-slots PositionFile.swift 'GroupModelTests' \
  'generation = current\.generation\n' ''
# A record counts as acknowledged once it is delivered.
canary consumer-early Consumer.swift 'ConsumerLossTests/aConsumerSkips' \
  'return try reader\.nextAtOnce\(\)' \
  'let record = try reader.nextAtOnce()
    if let record { _ = try acknowledgeNow(record) }
    return record'
# One record more than was acknowledged.
canary consumer-place Consumer+Log.swift 'ConsumerLossTests/aConsumerSkips' \
  'record\.sequence \+ 1, index: record\.index' 'record.sequence + 2, index: record.index'
# What is to count after a power cut is not held to what is stable of the log.
canary consumer-stable PositionKeeper.swift 'ConsumerLossTests/aConsumerSkips' \
  'if mark\.last\.number <= stable \|\| mark\.last\.number < mark\.stable\.number' 'if stable >= 0'
# The last position counts, though the machine has restarted.
canary consumer-boot ConsumerMark.swift 'ConsumerLossTests/aConsumerSkips' \
  'bootIdentity != 0 && bootIdentity == self\.bootIdentity' 'bootIdentity >= 0'
# A position is not put on stable storage.
canary consumer-flush Consumer.swift 'ConsumerLossTests/aConsumerSkips' \
  'guard log\.durability == \.synced else \{ return \}' 'guard log.durability == .synced, writes < 0 else { return }'
# Whoever opens a consumer forgets which of its slots is the newest.
canary consumer-slot PositionFile.swift 'ConsumerLossTests/aConsumerSkips' \
  'generation = current\.generation' 'generation = current.generation & 1'
# A slot of a position reaches over more than a sector.
IMMUTA_ROUNDS=150 canary consumer-sector TwoSlots.swift 'ConsumerLossTests/aConsumerSkips' \
  'static var sector: Int \{ 512 \}' 'static var sector: Int { slotSize }'
# Another log's position is gone on from.
canary consumer-log Consumer+Log.swift 'ConsumerLossTests/aPositionInAnotherLog' \
  'if let expected = mark\.identity, expected != identity \{' 'if let expected = mark.identity, expected != identity, place.number < 0 {'
# The record before a position may be another one than it was.
canary consumer-anchor Consumer+Log.swift 'ConsumerLossTests/aLogThatWasPutBack' \
  'guard try open\.isSame\(place\) else' 'guard try open.isSame(place) || true else'
# Retention believes a position that a power cut may take back.
canary consumer-waited LogWriter+Retention.swift 'WaitingRetentionTests/whatAPowerCut' \
  'stable: min\(position, mark\.stable\.number\)' 'stable: position'
# A process that dies takes with it what it acknowledged.
canary consumer-write PositionKeeper.swift 'KilledConsumerTests' \
  'try state\.file\?\.write\(mark\)' 'if state.writes % 3 == 0 { try state.file?.write(mark) }'
# A write of a position fails, and nobody is told.
canary consumer-error PositionFile.swift 'FailingConsumerTests' \
  'try file\.write\(slot: mark\.encoded\(generation: next\), of: next\)' \
  'try? file.write(slot: mark.encoded(generation: next), of: next)'
# A file of keys is believed, whatever record the log has in place of its last one.
canary key-anchor KeyIndex.swift 'KeysLossTests/theFilesOfALog' \
  'return header\.last == KeyFileHeader\.Anchor\(last\)' 'return header.last == KeyFileHeader.Anchor(last) || true'
# A file of keys is believed, whosever it is.
canary key-owner KeyIndex.swift 'KeysLossTests/theFilesOfALog' \
  'guard header\.kind == \.segment, header\.owner == owner,((?:.|\n)*?)return header\.last == KeyFileHeader\.Anchor\(last\)' \
  'guard header.kind == .segment, header.first == segment.lowerBound, header.end == segment.upperBound,
        (try? open.entry(of: segment.upperBound - 1, open.reader)) != nil
      else { return false }
      return true'
# The counts of a segment that was removed count in its own file and in the one of all that were removed.
canary key-twice KeyIndex+Files.swift '(KeysLossTests|KilledKeysTests|KeysModelTests)/' \
  'header\.first == segment && header\.first >= end' 'header.first == segment'
# An index goes on with what it knew of the log that was there before.
canary key-change KeyIndex+State.swift 'KeysLossTests/whoFollows' \
  '\(sealed, unwritten, recent\) = \(\[:\], \[\], \[\]\)' ''
# What others have appended by the time of the caller's turn is not counted.
canary key-others KeyIndex+Counts.swift 'KeysModelTests/manyWhoExpect' \
  'try update\(\)\n      let older' 'if known == nil { try update() }
      let older'
# A step's logs commit before its intent is written.
IMMUTA_ROUNDS=150 canary step-late LogWriter+Steps.swift 'StepLossTests/whateverCall' \
  '          try write\(intent, to: &kept\.file\)\s+vouched = commitParts\(of: intent\)' \
  '          vouched = commitParts(of: intent)
          try write(intent, to: &kept.file)'
# What a step has staged is not flushed before its intent.
canary step-staged LogWriter+Steps.swift 'StepLossTests/aPowerCutLeaves' \
  'if isStable \{ for writer in staged' 'if false { for writer in staged'
# Nor is the intent, before the logs commit.
canary step-intent LogWriter+Steps.swift 'StepLossTests/aPowerCutLeaves' \
  'if isStable \{ try file\.flush\(\) \}' ''
# Only the newest intent is settled.
canary step-older IntentFile.swift 'StepLossTests/aPowerCutLeaves' \
  'return slots\.whole\n' "return slots.whole.suffix(1)
"
# A position moves again that was moved since.
canary step-again Settlement.swift 'StepTests/anIntentThatIsDone' \
  'mark\.made == made && !TwoSlots\.isNewer\(generation, than: self\.generation\)' 'mark.made == made'
# A position is stable before what came of its records is.
canary step-stable StepAppends.swift 'StepLossTests/aPowerCutSkips' \
  'if !steps\.areStable \{ return min\(stable, steps\.from\) \}' ''
# A position moves on from where a step left it, also to where an earlier step led.
canary step-order LockedSteps.swift 'StepTests/thePositionEnds' \
  'try file\.write\(mark, movedOnFrom: part\.generation\)' 'try file.write(mark)'
# Whoever opens a log does not finish its steps.
canary step-settle Settlement.swift 'StepTests/whateverIsDone' \
  'if files\.isPartition \{ return try take\(\) \}' 'if files.first == 0 { return try take() }'

# Anybody who may make a folder removes a log that has rolled.
canary foreign-removed LogFiles.swift 'ImmutaTests.ForeignFilesTests/aFolderOfThatName' \
  'return try FileTrust\(in: home\.directory\)\.holds\(found, in: home\.directory, of: home\)' 'return true'
# A companion of somebody who is not to be trusted says which records there are.
canary foreign-companion Opening.swift 'ImmutaTests.ForeignFilesTests/aCompanionInvents' \
  'try !io\(fileTrust\.holds\(companionStatus, in: files\.directory, of: files\)\)' 'companionStatus.size < 0'
# A copy of an older layout keeps what follows a page that was copied too early.
canary copy-older OlderState.swift 'CopiedPagesTests/aCopyEnds' \
  'if disk\.format\.hasLastIndex \{ return true \}' 'if index > 0 { return disk.format.hasLastIndex }'
# A salvage without records leaves its companion to the next one.
canary salvage-mark SalvagePlace.swift 'InterruptedRepairTests/aSalvageOfNothing' \
  'try io\(folder\.status\(of: Self\.completeMark\) != nil\)' \
  'try io(folder.status(of: files.log)?.size ?? 0) > LogFormat.v2.headerSize'

# A lease that runs out gives its job to nobody.
canary queue-lease JobEntry.swift 'QueueTests/jobsOfWorkersThatStop' \
  'case \.leased, \.waiting, \.dated: true\n    case \.ready, \.taken: false' \
  'case .waiting, .dated: true
    case .leased, .ready, .taken: false'
# A job counts as done, and all before it with it: the position passes those that are in work.
canary queue-position JobTable.swift 'QueueTests/whatAKilledProcess' \
  'if number == front \{ moveFront\(\) \}' 'moveFront(to: number + 1)'
# A job is done in memory, and the state log does not say so.
canary queue-done WorkQueueState.swift 'QueueTests/whatAKilledProcess' \
  'try append\(QueueEvent\(kind: \.done, number: place\.number - 1, index: place\.index, time: place\.time\)\)' \
  'end = max(end, place.number)'
# A summary forgets how often jobs were given.
canary queue-counts WorkQueueState.swift 'QueueTests/whatAKilledProcess' \
  'if deliveries > 0 \{ entries' 'if deliveries > 99 { entries'
# A job is done before the dead letters have it.
canary queue-dead WorkQueue+Job.swift 'QueueTests/whatAKilledProcess' \
  'try await DeadLetter\.append\(' \
  'try state.withLock { (state) throws(ImmutaError) in try finish(log.place(after: record), &state) }
      for _ in 0..<200 { await Task.yield() }
      try await DeadLetter.append('
# A record counts as done because another one that had its number is.
canary queue-same QueueJournal.swift 'QueueTests/noJobIsLost' \
  'if try !isSame\(top\) \{' 'if try !isSame(top), count < 0 {'
# Another record got the number of a job for later, and waits in its place.
canary queue-planned WorkQueue+Log.swift 'QueueTests/noJobIsLost' \
  'WorkQueue\.checksum\(of: record\.payload\) == planned\.checksum' 'record.sequence == number'
# In `.synced`, nobody waits until it is stable that a job is done.
canary queue-synced WorkQueue+State.swift 'WorkQueueTests/whatIsTold' \
  'if journal\.isSynced \{ try await inLog \{ try await journal\.sync\(\) \} \}' ''

# A cut of several logs has a step in one of them and not in another.
canary cut-steps StepCut.swift 'StepCutTests' \
  'leaveOut\(counted, identities\)' 'Set<Int>()'
# A cut counts on steps that nobody has seen.
canary cut-unseen StepChain.swift 'StepCutTests/stepsThat' \
  'now &- newest > 2 \|\|' 'now &- newest > 9 ||'
# A cut moves a consumer past a step of its own that is left out.
canary cut-consumer StepCut.swift 'StepCutTests/whatAConsumerDid' \
  'return TwoSlots\.isNewer\(part\.generation, than: stop\.generation\)' 'return part.made != stop.made'
# A copy forgets that nobody knows what was appended.
canary copy-made CompanionHeader.swift 'LogCopyTests/aLogWithoutCompanion' \
  'let version = saysMore \? Self\.version : 1' 'let version = identity != nil && saysMore ? Self.version : 1'
# A consumer is sent to a record that was removed.
canary seek-removed RecordCursor.swift 'ConsumerTests/whatRetentionRemovedIsNoPlace' \
  'source\)\n      if let removal = source\.removal\(of: place\) \{ throw removal \}' 'source)'
# What is copied counts before it is compared with its checksums.
canary copy-unchecked SegmentCopy.swift 'LogCopyTests/whatTheCopysDisk' \
  'if !isWhole \{ damaged\.append' 'if !isWhole, number < 0 { damaged.append'
# COUNT counts what a copy is about to write.
canary copy-count SegmentCopy.swift 'LogCopyTests/whereverItIsCutOff' \
  'let place = try Self\.place\(ofLast: newEnd, of: source\)' \
  'let place = try Self.place(ofLast: newEnd, of: source)
      try io(log.write(LogHeader(format, count: newEnd, lastIndex: place.index).encoded(format: format), at: 0))'
# A copy is continued with the records of a log that went another way.
canary copy-prefix SegmentCopy.swift 'LogCopyTests/anotherLogIsRefused' \
  '!own\.isSame\(as: entry\) \{ return false \}' '!own.isSame(as: entry) { return true }'

[ "$tried" -gt 0 ] || fail "there is no canary named$wanted"
if "$checks_only"; then
  printf 'the patterns of %d canaries match the engine\n' "$tried"
  exit 0
fi
printf '\n%d of %d caught\n' "$((tried - missed))" "$tried"
[ "$missed" -eq 0 ] || exit 1
