// A log's consumers: making, listing, moving and removing them.

extension Log {
  /// Opens a consumer of the log; makes it if the log has none with that name. See ``Consumer``.
  ///
  /// Its position is in a file of its own, `<namespace>.consumers/<name>.position`. Where that is damaged, another log's, or
  /// beyond the log's end, or where the record before it is another one than it was, opening it throws: it never starts over
  /// by itself. ``seekConsumer(_:to:)`` says where it is to go on then.
  ///
  /// - Parameters:
  ///   - name: as a namespace's: 1 to 200 letters, digits, “.”, “_” or “-”, not starting with “.”.
  ///   - start: where it begins if it is made now; otherwise it goes on where it was. A moment that no record has reached yet
  ///     is the end of the log.
  ///   - creating: whether it is made where there is none.
  /// - Throws: `.consumerInUse` when somebody has it; `.consumerNotFound`; `.corrupted`, `.foreignPosition`,
  ///   `.positionBeyondEnd`, `.positionOutdated`, `.unsupportedVersion` as above; `.invalidConsumer`, `.foreignOwner`,
  ///   `.storageClosed`, `.io`.
  public func consumer(
    _ name: String, startingAt start: StreamPosition = .beginning, creating: Bool = true
  ) throws(ImmutaError) -> Consumer {
    try consumer(name, startingAt: start, creating: creating, seeking: false)
  }

  /// The log's consumers, sorted by name, and how far they have come. O(consumers), a few small reads for each; opens none.
  ///
  /// - Throws: `.storageClosed`, `.io`. What is wrong with one is in its details.
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

  /// What is known of one consumer; nil where there is none of that name.
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

  /// Moves a consumer that nobody has open, also one whose position is damaged or another log's; makes it if there is none.
  ///
  /// - Throws: `.consumerInUse`, `.invalidConsumer`, `.positionBeyondEnd`, `.foreignPosition`, `.invalidPosition`,
  ///   `.foreignOwner`, `.storageClosed`, `.io`.
  public func seekConsumer(_ name: String, to position: StreamPosition) throws(ImmutaError) {
    try consumer(name, startingAt: position, creating: true, seeking: true).close()
  }

  /// Removes a consumer that nobody has open: its position is forgotten. On stable storage when it returns.
  ///
  /// - Throws: `.consumerNotFound`, `.consumerInUse`, `.invalidConsumer`, `.foreignOwner`, `.storageClosed`, `.io`.
  public func removeConsumer(_ name: String) throws(ImmutaError) {
    guard FileName.isValid(name) else { throw .invalidConsumer(name) }
    do throws(ImmutaError) {
      try checkOpen()
      try consumerFolder.remove(name)
    } catch {
      throw error.of(namespace)
    }
  }

  private func consumer(
    _ name: String, startingAt start: StreamPosition, creating: Bool, seeking: Bool
  ) throws(ImmutaError) -> Consumer {
    guard FileName.isValid(name) else { throw .invalidConsumer(name) }
    do throws(ImmutaError) {
      try checkOpen()
      let (file, mark) = try positionFile(of: name, startingAt: start, creating: creating, seeking: seeking)
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

  private func positionFile(
    of name: String, startingAt start: StreamPosition, creating: Bool, seeking: Bool
  ) throws(ImmutaError) -> (PositionFile, ConsumerMark) {
    let folder = consumerFolder
    if var file = try folder.take(name) {
      do throws(ImmutaError) {
        // Reading changes the file's generation: so this is before the file is returned.
        let mark = seeking ? try begin(&file, at: start) : try placed(file.read(), of: name)
        return (file, mark)
      } catch {
        file.unlock()
        throw error
      }
    }
    guard creating else { throw .consumerNotFound(name) }
    // Two may make it at once: then the other one's is taken.
    var file = try folder.make(name, try mark(at: start))
    do throws(ImmutaError) {
      let mark = try placed(file.read(), of: name)
      return (file, mark)
    } catch {
      file.unlock()
      throw error
    }
  }

  private func begin(_ file: inout PositionFile, at start: StreamPosition) throws(ImmutaError) -> ConsumerMark {
    let mark = try mark(at: start)
    try file.begin(mark)
    return mark
  }

  private func mark(at position: StreamPosition) throws(ImmutaError) -> ConsumerMark {
    let place = try place(of: position)
    let stableCount = open.stableCount
    let stable = place.number <= stableCount ? place : try open.place(stableCount)
    return ConsumerMark(identity: identity, last: place, stable: stable, bootIdentity: BootIdentity.current)
  }

  /// What a consumer goes on with, by what its file says: a place in this log.
  private func placed(_ mark: ConsumerMark, of name: String) throws(ImmutaError) -> ConsumerMark {
    if let expected = mark.identity, expected != identity {
      throw .foreignPosition(expected: expected, found: identity)
    }
    let place = mark.place(inRun: BootIdentity.current)
    let count = count
    if place.number > count { throw .positionBeyondEnd(position: place.number, count: count) }
    guard try open.isSame(place) else { throw .positionOutdated(position: place.number, consumer: name) }
    var mark = mark
    mark.last = place
    return mark
  }

  private func details(of name: String, _ folder: ConsumerFolder) throws(ImmutaError) -> ConsumerDetails {
    let owner = try folder.owner(of: name)
    do throws(ImmutaError) {
      guard let found = try folder.mark(of: name) else { throw .consumerNotFound(name) }
      let number = found.place(inRun: BootIdentity.current).number
      let lag = max(0, count - max(number, firstSequence))
      var fault: ImmutaError?
      do throws(ImmutaError) { _ = try placed(found, of: name) } catch { fault = error.of(namespace) }
      return ConsumerDetails(name: name, position: number, lag: fault == nil ? lag : nil, owner: owner, fault: fault)
    } catch {
      return ConsumerDetails(name: name, position: nil, lag: nil, owner: owner, fault: error.of(namespace))
    }
  }

  /// A place to consume from: one that exists, or the end.
  func place(of position: StreamPosition) throws(ImmutaError) -> ConsumerMark.Place {
    var cursor = cursor(from: position, only: .committed)
    let number = try cursor.placeThatExists()
    return try open.place(number)
  }

  func checkExists(_ sequence: Int) throws(ImmutaError) {
    let count = open.reader.count
    if sequence >= count, sequence >= self.count {
      throw .positionBeyondEnd(position: sequence + 1, count: count).of(namespace)
    }
  }

  private var consumerFolder: ConsumerFolder {
    let files = currentFiles
    return ConsumerFolder(
      files, trust: FileTrust(in: files.directory, acceptsFilesOfOthers: acceptsFilesOfOthers))
  }
}
