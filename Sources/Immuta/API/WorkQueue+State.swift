// What a work queue writes: an event for each change before anybody learns of the change, and the position's file, which follows.

extension WorkQueue {
  /// In `.synced`, waits until all events so far are on stable storage.
  func waitUntilStable() async throws {
    if journal.isSynced { try await inLog { try await journal.sync() } }
  }

  func note(
    _ kind: QueueEvent.Kind, _ record: Record, deliveries: Int, due: Int64 = 0, delay: Int64 = 0, _ state: inout State
  ) throws(ImmutaError) {
    let place = log.place(after: record)
    var event = QueueEvent(kind: kind, number: record.sequence, index: place.index, time: place.time)
    (event.deliveries, event.due, event.delay) = (deliveries, due, delay)
    try state.jobs.append(event)
    lookLater(&state)
  }

  /// Records that a job is done.
  ///
  /// - Parameter place: after its record.
  func finish(_ place: ConsumerMark.Place, _ state: inout State) throws(ImmutaError) {
    try state.jobs.finish(place)
    lookLater(&state)
    state.jobs.compact(ifMoreThan: configuration.eventsOfASegment, name)
    try followFront(place, &state)
  }

  // MARK: The position's file

  /// How long the position's file is left alone after it was written, while other jobs are in work.
  private static var positionRest: Int64 { 10_000_000 }

  /// Makes the position's file follow the front: at once if no job is in work, otherwise now and then. Until then the state log
  /// has the same information.
  private func followFront(_ place: ConsumerMark.Place, _ state: inout State) throws(ImmutaError) {
    guard state.jobs.table.front > keeper.position else { return }
    if state.jobs.table.isIdle || Clocks.steadyClock() >= state.positionRest {
      return try writePosition(&state, place)
    }
    if state.positionDue != nil { return }
    state.positionDue = state.positionRest
    arrange(&state)
  }

  /// - Parameter known: a place that may be the front's.
  func writePosition(_ state: inout State, _ known: ConsumerMark.Place? = nil) throws(ImmutaError) {
    state.positionDue = nil
    let front = state.jobs.table.front
    guard front > keeper.position else { return }
    let place = if let known, known.number == front { known } else { try log.open.place(front) }
    try keeper.acknowledge(place)
    state.positionRest = Clocks.steadyClock().addingHeld(Self.positionRest)
  }

  // MARK: What is stable of the log

  private func lookLater(_ state: inout State) {
    guard state.jobs.toldStable < state.jobs.end, state.stableLook == nil else { return }
    state.stableLook = (Clocks.steadyClock().addingHeld(pauseBeforeLook(idle: 0)), 0)
    arrange(&state)
  }

  private func pauseBeforeLook(idle: Int) -> Int64 {
    StableLooks.pause(afterIdle: idle, log.durability).nanoseconds
  }

  /// Looks whether more of the log is stable by now; less and less often while it is not.
  func lookForStable(_ state: inout State, idle: Int) {
    let before = state.jobs.toldStable
    // A failure shows with the next job.
    try? state.jobs.tellStable(log.open.stableCount)
    state.stableLook = nil
    let idle = state.jobs.toldStable > before ? 0 : idle + 1
    guard state.jobs.toldStable < state.jobs.end, log.durability.interval != nil || idle < StableLooks.mostIdle else {
      return
    }
    state.stableLook = (Clocks.steadyClock().addingHeld(pauseBeforeLook(idle: idle)), idle)
  }
}
