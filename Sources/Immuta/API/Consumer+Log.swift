// A log's consumers: making, listing, moving and removing them.

extension Log {
  /// Opens a consumer of the log; makes it if the log has none with that name. See ``Consumer``.
  ///
  /// Its position is in a file of its own, `<namespace>.consumers/<name>.position`. Opening throws where that file is damaged or
  /// another log's, where the position is beyond the log's end, or where the record before the position is not the one that it
  /// was. A consumer never starts over by itself: call ``seekConsumer(_:to:)`` to say where it goes on.
  ///
  /// - Parameters:
  ///   - name: as a namespace's: 1 to 200 letters, digits, “.”, “_” or “-”, not starting with “.”.
  ///   - start: where it begins if it is made now; otherwise it goes on where it was. A moment that no record has reached yet
  ///     is the end of the log.
  ///   - creating: whether it is made where there is none.
  /// - Throws: `.consumerInUse` when somebody has it; `.consumerNotFound`; `.corrupted`, `.foreignPosition`,
  ///   `.positionBeyondEnd`, `.positionOutdated`, `.unsupportedVersion` as above; `.recordRemoved` where it is made now, and
  ///   retention has removed the record where it would begin; `.invalidConsumer`, `.foreignOwner`, `.storageClosed`, `.io`.
  public func consumer(
    _ name: String, startingAt start: StreamPosition = .beginning, creating: Bool = true
  ) throws(ImmutaError) -> Consumer {
    guard FileName.isValid(name) else { throw .invalidConsumer(name) }
    do throws(ImmutaError) {
      try checkOpen()
      let (file, mark) = try positionFile(of: name, startingAt: start, creating: creating)
      if mark.queue != 0 {
        file.unlock()
        throw .otherKindOfConsumer(name, isWorkQueue: true)
      }
      do throws(ImmutaError) {
        try flushAppends(mark)
      } catch {
        file.unlock()
        throw error
      }
      let keeper = PositionKeeper(name, file, mark, of: open, durability)
      open.consumers.add(keeper)
      // The log may have been closed meanwhile, with its consumers.
      do throws(ImmutaError) {
        try checkOpen()
      } catch {
        keeper.close()
        throw error
      }
      return Consumer(name, keeper, of: self, only: durability == .synced ? .durable : .committed)
    } catch {
      throw error.of(namespace)
    }
  }

  /// The log's consumers, sorted by name, and how far they have come. O(consumers), a few small reads for each; opens no
  /// consumer.
  ///
  /// - Throws: `.storageClosed`, `.io`. A fault of one consumer is in its details.
  public var consumers: [ConsumerDetails] {
    get throws(ImmutaError) {
      do throws(ImmutaError) {
        try checkOpen()
        let folder = consumerFolder
        var details: [ConsumerDetails] = []
        for name in try folder.names() { details.append(try self.details(of: name, folder)) }
        return details
      } catch {
        throw error.of(namespace)
      }
    }
  }

  /// What is known of one consumer; nil if the log has none of that name.
  package func details(ofConsumer name: String) throws(ImmutaError) -> ConsumerDetails? {
    guard FileName.isValid(name) else { throw .invalidConsumer(name) }
    do throws(ImmutaError) {
      try checkOpen()
      let folder = consumerFolder
      return try folder.has(name) ? details(of: name, folder) : nil
    } catch {
      throw error.of(namespace)
    }
  }

  /// Moves a consumer, or a work queue, that nobody has open; its position may be damaged or another log's. Makes a consumer if
  /// none has the name. A work queue then gives all jobs from there on, also those that were done.
  ///
  /// - Throws: `.recordRemoved` for a record that retention has removed: `.beginning` is the first that exists; `.consumerInUse`,
  ///   `.invalidConsumer`, `.positionBeyondEnd`, `.foreignPosition`, `.invalidPosition`, `.unsupportedVersion`, `.foreignOwner`,
  ///   `.storageClosed`, `.io`. The consumer stays where it is then.
  public func seekConsumer(_ name: String, to position: StreamPosition) throws(ImmutaError) {
    guard FileName.isValid(name) else { throw .invalidConsumer(name) }
    do throws(ImmutaError) {
      try checkOpen()
      let (file, mark) = try positionFile(of: name, startingAt: position, creating: true, seeking: true)
      PositionKeeper(name, file, mark, of: open, durability).close()
    } catch {
      throw error.of(namespace)
    }
  }

  /// Removes a consumer, or a work queue, that nobody has open: its position, and which jobs are done, are forgotten. The removal
  /// is on stable storage when this returns.
  ///
  /// - Throws: `.consumerNotFound`, `.consumerInUse`, `.invalidConsumer`, `.foreignOwner`, `.storageClosed`, `.io`.
  public func removeConsumer(_ name: String) throws(ImmutaError) {
    guard FileName.isValid(name) else { throw .invalidConsumer(name) }
    do throws(ImmutaError) {
      try checkOpen()
      try settlement.settle(.consumer(name)) {}
      let folder = consumerFolder
      let isWorkQueue = try folder.isWorkQueue(name)
      try folder.remove(name) { (directory) throws(ImmutaError) in
        if isWorkQueue {
          try QueueJournal.remove(name, in: directory, acceptsFilesOfOthers: acceptsFilesOfOthers)
        }
      }
    } catch {
      throw error.of(namespace)
    }
  }

  /// Takes the position of a consumer or a work queue; makes one where none exists.
  ///
  /// - Parameter isWorkQueue: whether one that is made is a work queue's.
  func positionFile(
    of name: String, startingAt start: StreamPosition, creating: Bool, seeking: Bool = false, isWorkQueue: Bool = false
  ) throws(ImmutaError) -> (PositionFile, ConsumerMark) {
    let folder = consumerFolder
    let taken = try settlement.settle(.consumer(name)) { () throws(ImmutaError) in try folder.take(name) }
    if var file = taken {
      do throws(ImmutaError) {
        // Before the file is copied into the result: reading it finds out which of its slots is the newest.
        let mark =
          seeking
          ? try move(&file, to: start, isWorkQueue: folder.isWorkQueue(name)) : try placed(file.read(), of: name)
        return (file, mark)
      } catch {
        file.unlock()
        throw error
      }
    }
    guard creating else { throw .consumerNotFound(name) }
    // Two callers may make it at once: then this one takes the other's.
    var file = try folder.make(name, try mark(at: start, isWorkQueue: isWorkQueue))
    do throws(ImmutaError) {
      let mark = try placed(file.read(), of: name)
      return (file, mark)
    } catch {
      file.unlock()
      throw error
    }
  }

  private func move(
    _ file: inout PositionFile, to start: StreamPosition, isWorkQueue: Bool
  ) throws(ImmutaError) -> ConsumerMark {
    let mark = try mark(at: start, isWorkQueue: isWorkQueue)
    try file.replace(mark)
    return mark
  }

  private func mark(at position: StreamPosition, isWorkQueue: Bool) throws(ImmutaError) -> ConsumerMark {
    let place = try place(of: position)
    let stableCount = open.stableCount
    let stable = place.number <= stableCount ? place : try open.place(stableCount)
    var mark = ConsumerMark(
      identity: identity, last: place, stable: stable, bootIdentity: BootIdentity.current,
      made: .random(in: 1...UInt64.max))
    if isWorkQueue { mark.queue = ConsumerMark.newQueue(hasStateLog: false) }
    return mark
  }

  /// Where a consumer goes on, by its file: a place in this log.
  private func placed(_ mark: ConsumerMark, of name: String) throws(ImmutaError) -> ConsumerMark {
    var mark = mark
    let place = mark.place(inRun: BootIdentity.current)
    if let expected = mark.identity, expected != identity {
      // A power cut took the log just after it was made, and nothing of it had been acknowledged: so any log may begin there.
      guard place.number == 0, mark.bootIdentity != BootIdentity.current else {
        throw .foreignPosition(expected: expected, found: identity)
      }
      mark.identity = identity
    }
    let count = count
    if place.number > count { throw .positionBeyondEnd(position: place.number, count: count) }
    guard try open.isSame(place) else { throw .positionOutdated(position: place.number, consumer: name) }
    mark.last = place
    return mark
  }

  /// Puts what the consumer's steps appended elsewhere on stable storage: the process that made the steps may have ended before
  /// that, and a stable position must not be beyond them.
  private func flushAppends(_ mark: ConsumerMark) throws(ImmutaError) {
    guard !mark.pending.isEmpty, mark.bootIdentity != 0, mark.bootIdentity == BootIdentity.current else { return }
    let directory = currentFiles.home.directory
    let names =
      switch mark.pending {
      case .these(let names): names.sorted()
      case .any: try io(LogFiles.names(in: directory))
      }
    for name in names {
      let files = LogFiles(directory: directory, namespace: name)
      guard try io(files.isThere()) else { continue }
      let folder = try SegmentFolder(files, trust)
      // The one before the newest may be about to be sealed.
      for segment in [folder.previous, folder.newest].compactMap(\.self) { try io(segment.flush()) }
    }
  }

  private func details(of name: String, _ folder: ConsumerFolder) throws(ImmutaError) -> ConsumerDetails {
    let owner = try folder.owner(of: name)
    do throws(ImmutaError) {
      guard let found = try folder.mark(of: name) else { throw .consumerNotFound(name) }
      let number = found.place(inRun: BootIdentity.current).number
      let first = firstSequence
      let lag = max(0, count - max(number, first))
      var fault: ImmutaError?
      do throws(ImmutaError) { _ = try placed(found, of: name) } catch { fault = error.of(namespace) }
      return ConsumerDetails(
        name: name, position: number, lag: fault == nil ? lag : nil,
        removed: fault == nil ? max(0, first - number) : nil,
        owner: owner, fault: fault, isWorkQueue: found.queue != 0)
    } catch {
      return ConsumerDetails(name: name, position: nil, lag: nil, owner: owner, fault: error.of(namespace))
    }
  }

  /// A place to consume from: one that exists, or the end.
  func place(of position: StreamPosition) throws(ImmutaError) -> ConsumerMark.Place {
    while true {
      var cursor = cursor(from: position, only: .committed)
      do throws(ImmutaError) {
        return try open.place(try cursor.placeThatExists())
      } catch .recordRemoved where position == .beginning {
        // The record was removed meanwhile: another one is the first by now.
        continue
      }
    }
  }

  /// The position once a record is acknowledged.
  func place(after record: Record) -> ConsumerMark.Place {
    ConsumerMark.Place(
      record.sequence + 1, index: record.index,
      time: open.keepsTimes(reader) ? record.timestamp.nanosecondsSince1970 : 0)
  }

  func checkExists(_ sequence: Int) throws(ImmutaError) {
    let count = open.reader.count
    if sequence >= count, sequence >= self.count {
      throw .positionBeyondEnd(position: sequence + 1, count: count).of(namespace)
    }
  }

  /// Finishes steps that were cut off.
  private var settlement: Settlement {
    Settlement(files: currentFiles, acceptsFilesOfOthers: acceptsFilesOfOthers, logger: open.logger)
  }

  var consumerFolder: ConsumerFolder {
    let files = currentFiles
    return ConsumerFolder(
      files, trust: FileTrust(in: files.directory, acceptsFilesOfOthers: acceptsFilesOfOthers))
  }
}
