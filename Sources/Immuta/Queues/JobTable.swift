/// The state of a work queue's jobs: which are done, and which a worker has until when. Pure: it knows no clock and no file.
///
/// All jobs before `front` are done. From there on it has blocks, up to the highest job that was touched. So a million jobs that
/// are done out of order take 128 KB, and a million that workers have take 16 MB, whatever their numbers are.
struct JobTable: Sendable {
  /// The first job that is not done.
  private(set) var front: Int
  /// The number of the first block's first job; a multiple of the blocks' size, not above `front`.
  private var base: Int
  private var blocks: [JobBlock] = []
  /// How many jobs are ready.
  private(set) var readyCount = 0
  /// No block before this one has a ready job.
  private var firstReadyBlock = 0
  /// How many jobs have an entry.
  private(set) var entryCount = 0
  /// No deadline is before this. It may be one that does not count any more.
  private var soonest: Int64 = .max

  init(front: Int) {
    self.front = front
    base = Self.start(of: front)
  }

  private static func start(of number: Int) -> Int { number / JobBlock.size * JobBlock.size }

  /// Whether nothing is known of any job from the front on.
  var isIdle: Bool { entryCount == 0 && blocks.dropFirst().allSatisfy { $0.doneCount == 0 } && !hasDoneInFirstBlock }

  /// Whether a job from the front on is done in the first block.
  private var hasDoneInFirstBlock: Bool { (blocks.first?.lastDone).map { base + $0 >= front } ?? false }

  private func place(of number: Int) -> (block: Int, offset: Int) {
    ((number - base) / JobBlock.size, (number - base) % JobBlock.size)
  }

  func isDone(_ number: Int) -> Bool {
    if number < front { return true }
    let (block, offset) = place(of: number)
    return block < blocks.count && blocks[block].isDone(offset)
  }

  /// What is known of a job that is not done; nil for one that is as it was appended.
  func entry(_ number: Int) -> JobEntry? {
    if number < front { return nil }
    let (block, offset) = place(of: number)
    return block < blocks.count ? blocks[block].entry(offset) : nil
  }

  /// The first job at or after a number that is as it was appended. O(jobs that are not).
  func firstUntouched(from number: Int) -> Int {
    var number = max(number, front)
    while true {
      let (block, offset) = place(of: number)
      if block >= blocks.count { return number }
      let next = blocks[block].firstNotDone(from: offset)
      if next == JobBlock.size {
        number += JobBlock.size - offset
      } else if blocks[block].entry(next) != nil {
        number += next - offset + 1
      } else {
        return number + next - offset
      }
    }
  }

  // MARK: Changes

  /// Calls `body` with the block of a job.
  private mutating func change(_ number: Int, _ body: (inout JobBlock, _ offset: Int) -> Void) {
    precondition(number >= front, "what comes before the front is done")
    let (block, offset) = place(of: number)
    while blocks.count <= block { blocks.append(JobBlock()) }
    let (ready, entries) = (blocks[block].readyCount, blocks[block].entries.count)
    body(&blocks[block], offset)
    readyCount += blocks[block].readyCount - ready
    entryCount += blocks[block].entries.count - entries
    if blocks[block].readyCount > 0 { firstReadyBlock = min(firstReadyBlock, block) }
    soonest = min(soonest, blocks[block].earliest)
  }

  /// Says what is known of a job.
  ///
  /// - Precondition: it is not done.
  mutating func set(_ number: Int, _ entry: JobEntry) {
    change(number) { block, offset in block.set(offset, entry) }
  }

  /// Forgets what is known of a job.
  mutating func forget(_ number: Int) {
    if number >= front, entry(number) != nil { change(number) { block, offset in block.remove(offset) } }
  }

  /// O(1), except for moving the front.
  mutating func markDone(_ number: Int) {
    if isDone(number) { return }
    change(number) { block, offset in block.markDone(offset) }
    if number == front { moveFront() }
  }

  /// Marks all jobs of a range as done. O(blocks).
  mutating func markDone(_ numbers: Range<Int>) {
    var number = max(numbers.lowerBound, front)
    while number < numbers.upperBound {
      let isWhole = number % JobBlock.size == 0 && numbers.upperBound - number >= JobBlock.size
      if isWhole {
        change(number) { block, _ in block.markAllDone() }
        number += JobBlock.size
      } else {
        change(number) { block, offset in block.markDone(offset) }
        number += 1
      }
    }
    moveFront()
  }

  /// Marks all jobs before a number as done, whatever was known of them.
  mutating func moveFront(to number: Int) {
    guard number > front else { return }
    front = number
    dropBlocks()
    moveFront()
  }

  /// Marks jobs before a number, whose records were removed, as done, except those that a worker has at this moment.
  ///
  /// - Returns: how many were not done before. O(jobs) if a worker has one of them; otherwise O(blocks).
  mutating func pass(before end: Int) -> Int {
    guard end > front else { return 0 }
    let held = touched.flatMap { first, block in
      block.entries.filter { $0.status == .leased || $0.status == .taken }.map { first + Int($0.offset) }
    }.filter { $0 >= front && $0 < end }
    let passed = notDoneCount(before: end) - held.count
    if held.isEmpty {
      moveFront(to: end)
      return passed
    }
    var start = front
    for number in held + [end] {
      if number > start { markDone(start..<number) }
      start = number + 1
    }
    return passed
  }

  /// How many jobs from the front on, before a number, are not done.
  private func notDoneCount(before end: Int) -> Int {
    var count = end - front
    for (place, block) in blocks.enumerated() where block.doneCount > 0 {
      let first = base + place * JobBlock.size
      let (start, end) = (max(first, front), min(first + JobBlock.size, end))
      if start < end { count -= (start..<end).count { block.isDone($0 - first) } }
    }
    return count
  }

  private mutating func moveFront() {
    while true {
      let (block, offset) = place(of: front)
      guard block < blocks.count else { break }
      let next = blocks[block].firstNotDone(from: offset)
      front += next - offset
      if next < JobBlock.size { break }
    }
    dropBlocks()
  }

  /// Drops the blocks before the front.
  private mutating func dropBlocks() {
    let count = min(blocks.count, (front - base) / JobBlock.size)
    for block in blocks[..<count] {
      readyCount -= block.readyCount
      entryCount -= block.entries.count
    }
    blocks.removeFirst(count)
    firstReadyBlock = max(0, firstReadyBlock - count)
    base = Self.start(of: front)
    assert(readyCount >= 0 && readyCount <= entryCount, "a job that is ready has an entry")
    // Entries of jobs before the front in the front's own block: these jobs were declared done as a whole.
    guard front > base, !blocks.isEmpty else { return }
    let stale = blocks[0].entries.prefix { base + Int($0.offset) < front }
    for entry in stale { change(front) { block, _ in block.remove(Int(entry.offset)) } }
  }

  // MARK: Time

  /// The ready job with the lowest number; nil if no job is ready. O(1), and O(blocks) when blocks are passed.
  mutating func firstReady() -> Int? {
    if readyCount == 0 {
      firstReadyBlock = blocks.count
      return nil
    }
    while firstReadyBlock < blocks.count {
      if let offset = blocks[firstReadyBlock].firstReady { return base + firstReadyBlock * JobBlock.size + offset }
      firstReadyBlock += 1
    }
    preconditionFailure("a ready job is in a block")
  }

  /// Makes jobs ready that have reached their deadlines. O(1) if none may have; otherwise O(blocks), and O(jobs) of the blocks in
  /// which some may have.
  mutating func release(by now: Int64) {
    if soonest > now { return }
    defer { soonest = blocks.lazy.map(\.earliest).min() ?? .max }
    for block in blocks.indices where blocks[block].earliest <= now {
      let ready = blocks[block].readyCount
      blocks[block].release(by: now)
      readyCount += blocks[block].readyCount - ready
      if blocks[block].readyCount > 0 { firstReadyBlock = min(firstReadyBlock, block) }
    }
  }

  /// No deadline is before this; nil if there is none. After ``release(by:)`` it is a deadline that counts. O(1).
  var earliest: Int64? { soonest < .max ? soonest : nil }

  // MARK: Blocks

  /// Each block with known jobs, and the number of its first job.
  var touched: [(first: Int, block: JobBlock)] {
    blocks.enumerated().filter { !$0.element.isUntouched }.map { (base + $0.offset * JobBlock.size, $0.element) }
  }
}
