import Foundation
import Immuta
import ImmutaCodable
import ImmutaLocking
import ImmutaTestSupport
import Testing

/// What records come to, while a program runs and when it runs again.
@Suite(.timeLimit(.minutes(3))) struct ProjectionTests {
  @Test func recordsAreAddedInOrderEachOnce() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    let trail = try log.trail()
    #expect(trail.position == 0 && trail.state == Trail() && trail.name == "trail")
    for number in 0..<1000 {
      try await log.append("\(number)")
      if number % 100 == 0 { try await trail.catchUp() }
    }
    try await trail.catchUp()
    #expect(try trail.state == Trail.fresh(log) && trail.position == 1000)
    #expect(trail.nextPosition == log.position(of: 1000) && trail.savedPosition == 0)
    #expect(trail.withState { state, position in state.count == position })
  }

  @Test func valuesAreAddedToo() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let orders = try storage.log("orders", of: OrderEvent.self)
    let open = try orders.projection(named: "open", initial: Set<Int>()) { open, event in
      switch event.value {
      case .placed(let id): open.insert(id)
      case .shipped(let id, _): open.remove(id)
      case .cancelled: open = []
      }
    }
    try await orders.append(contentsOf: [.placed(id: 1), .placed(id: 2), .shipped(id: 1, at: Date())])
    try await open.catchUp()
    #expect(open.state == [2])
    // One that does not decode stops it, as often as it comes, and changes nothing.
    try await orders.log.append("no JSON")
    try await orders.append(.placed(id: 3))
    for _ in 0..<2 {
      guard case .undecodableValue(sequence: 3, _, _, _) = try await thrown({ try await open.catchUp() }) else {
        Issue.record("another error")
        return
      }
      #expect(open.state == [2] && open.position == 3)
    }
  }

  @Test func runningFollowsUntilItIsCancelledAndSavesThen() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    let (told, teller) = AsyncStream.makeStream(of: Int.self)
    let counts = try log.projection(named: "count", initial: 0) { count, record in
      count += 1
      teller.yield(count)
    }
    let running = Task { try await counts.run() }
    var count = told.makeAsyncIterator()
    for number in 1...50 {
      try await log.append("x")
      #expect(await count.next() == number)
    }
    // Others may read, and add, meanwhile.
    try await log.append("x")
    try await counts.catchUp()
    #expect(counts.state == 51)
    running.cancel()
    await #expect(throws: CancellationError.self) { try await running.value }
    #expect(counts.savedPosition == 51 && directory.exists("orders.projections/count.snapshot"))
  }

  @Test func theNextRunBeginsWithTheSnapshot() async throws {
    let directory = TemporaryDirectory()
    let calls = Calls()
    do {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("orders")
      for number in 0..<100 { try await log.append("\(number)") }
      let trail = try log.trail()
      try await trail.catchUp()
      try await trail.save()
      #expect(trail.savedPosition == 100)
      try await log.append("one more")
    }
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    let trail = try log.trail(calls: calls)
    #expect(trail.position == 100 && trail.state.count == 100 && trail.savedPosition == 100)
    try await trail.catchUp()
    #expect(try calls.count == 1 && trail.state == Trail.fresh(log))
  }

  @Test func itSavesByItselfAfterSoManyRecords() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    let trail = try log.trail(saving: SnapshotPolicy(everyRecords: 10, every: nil))
    for number in 0..<9 { try await log.append("\(number)") }
    try await trail.catchUp()
    #expect(trail.savedPosition == 0)
    try await log.append("9")
    try await trail.catchUp()
    #expect(trail.savedPosition == 10)
    try await trail.catchUp()
    #expect(trail.savedPosition == 10)
  }

  @Test func itSavesByItselfAfterSomeTimeWhetherSomethingComesOrNot() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    let trail = try log.trail(saving: SnapshotPolicy(everyRecords: nil, every: .milliseconds(500)))
    let running = Task { try await trail.run() }
    defer { running.cancel() }
    try await log.append("only one")
    // The record is there long before the time is over, and nothing comes after it.
    while trail.savedPosition == 0 { try await Task.sleep(for: .milliseconds(1)) }
    #expect(trail.savedPosition == 1)
  }

  @Test func whatIsSavedIsStable() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    for number in 0..<100 { try await log.append("\(number)") }
    #expect(try log.details.stableCount < 100)
    let trail = try log.trail()
    try await trail.catchUp()
    try await trail.save()
    #expect(try log.details.stableCount == 100)
  }

  @Test func aRecordThatIsRefusedLeavesTheStateAsItWas() async throws {
    struct Refused: Error {}
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    for number in 0..<20 { try await log.append("\(number)") }
    let isStrict = Lock(true)
    let trail = try log.projection(named: "trail", initial: Trail(), saving: .onDemand) { trail, record in
      // Half of it is done before it throws.
      trail.add(record.text)
      if record.sequence == 15, isStrict.withLock({ $0 }) { throw Refused() }
    }
    for saves in [false, true, true] {
      await #expect(throws: Refused.self) { try await trail.catchUp() }
      #expect(trail.position == 15 && trail.state.count == 15)
      if saves { try await trail.save() }
    }
    isStrict.withLock { $0 = false }
    try await trail.catchUp()
    #expect(try trail.state == Trail.fresh(log))
  }

  @Test func removedRecordsAreAnErrorUnlessASnapshotCoversThem() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    for number in 0..<10 { try await log.append("\(number)") }
    let trail = try log.trail()
    try await trail.catchUp()
    let all = try Trail.fresh(log)
    try await trail.save()
    try await log.roll()
    try await log.append("10")
    let first = try await log.removeRecords(before: 10)
    #expect(first == 10)
    let again = try log.trail()
    #expect(again.position == 10 && again.state == all)
    try await again.catchUp()
    #expect(again.state.count == 11)

    #expect(throws: ImmutaError.recordRemoved(sequence: 0, first: 10)) { _ = try log.trail(version: 2) }
    try directory.remove("orders.projections/trail.snapshot")
    let error = try await thrown { _ = try log.trail() }
    #expect(error == .recordRemoved(sequence: 0, first: 10) && error.namespace == "orders")
  }

  @Test func aNameThatNoFileCanHaveIsRefused() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    for name in ["", "../up", ".hidden", "a/b", String(repeating: "x", count: 201)] {
      guard
        case .invalidConfiguration = try await thrown({ _ = try log.projection(named: name, initial: 0) { _, _ in } })
      else {
        Issue.record("\(name)")
        continue
      }
    }
  }

  @Test func removingANamespaceRemovesItsSnapshots() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    try await log.append("x")
    let trail = try log.trail()
    try await trail.catchUp()
    try await trail.save()
    try storage.remove("orders")
    #expect(!directory.exists("orders.projections"))
    try await storage.log("orders", creating: true).append("y")
    #expect(try storage.log("orders").trail().position == 0)
  }

  @Test func aSnapshotHasTheRightsOfTheLog() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    try await log.append("x")
    #expect(chmod(directory.file("orders.log"), 0o640) == 0)
    let trail = try log.trail()
    try await trail.catchUp()
    try await trail.save()
    let path = directory.file("orders.projections/trail.snapshot")
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o640)
  }

  @Test func manyMayUseItAtOnce() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    let policy = SnapshotPolicy(everyRecords: 7, every: nil)
    let (one, other) = (try log.trail(saving: policy), try log.trail(saving: policy))
    let running = Task { try await one.run() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in 0..<4 {
        group.addTask {
          for number in 0..<200 {
            try await log.append("\(task) \(number)")
            try await (task % 2 == 0 ? one : other).catchUp()
            for trail in [one, other] {
              let fits = trail.withState { state, position in state.count == position }
              if !fits { Issue.record("state and position do not fit") }
            }
          }
        }
      }
      try await group.waitForAll()
    }
    for trail in [one, other] {
      try await trail.catchUp()
      #expect(try trail.state == Trail.fresh(log))
    }
    running.cancel()
    _ = await running.result
    // Two saved in turn under one name.
    let again = try log.trail()
    #expect(again.position > 700)
    try await again.catchUp()
    #expect(try again.state == Trail.fresh(log))
  }

  @Test func aFollowerHasProjectionsToo() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    let log = try storage.log("orders")
    for number in 0..<10 { try await log.append("\(number)") }
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let reading = try directory.open(configuration)
    defer { reading.close() }
    let trail = try reading.log("orders").trail()
    try await trail.catchUp()
    #expect(try trail.state == Trail.fresh(log))
    try await trail.save()
    #expect(try reading.log("orders").trail().position == 10)
    // The writer, too, may begin there: the machine runs on.
    #expect(try log.trail().position == 10)

    // Another log takes the name: nothing of the old one stays.
    storage.close()
    for name in ["orders.log", "orders.idx"] { try directory.remove(name) }
    let other = try directory.open()
    defer { other.close() }
    for number in 0..<5 { try await other.log("orders").append("other \(number)") }
    guard case .logChanged = try await thrown({ try await trail.catchUp() }) else {
      Issue.record("another error")
      return
    }
    #expect(trail.position == 10)
    try await trail.catchUp()
    #expect(try trail.position == 5 && trail.state == Trail.fresh(other.log("orders")))
  }

  @Test func aStateThatCannotBeSavedStopsNothing() async throws {
    let directory = TemporaryDirectory()
    let notes = Notes()
    let storage = try directory.open(notes.configuration)
    defer { storage.close() }
    let log = try storage.log("orders")
    let sum = try log.projection(
      named: "sum", initial: 0.0, saving: SnapshotPolicy(everyRecords: 1, every: nil)
    ) { sum, record in sum = .nan }
    try await log.append("x")
    try await sum.catchUp()
    #expect(sum.position == 1 && sum.savedPosition == 0)
    #expect(notes.all.contains { $0.hasPrefix("projection “sum” could not be saved, and goes on: ") })
    await #expect(throws: EncodingError.self) { try await sum.save() }
  }
}
