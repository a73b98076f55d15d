import ImmutaLocking

/// The members that share the partitions of a consumer: `logstore.groups/<consumer>` in a store's directory, with a file for each
/// member, whose name is a number. A member has the lock of its file for as long as it lives.
///
/// The files only name the process that has them, as those of other locks do, and stay for later members. The kernel frees a lock
/// whatever ends the process, and reports when a file that was open for writing is closed: so members learn when others come,
/// leave and die. A member that gave up a partition opens its file again, and closes it: then all others look.
package struct GroupFolder: Sendable {
  package let consumer: String
  private let place: Directory
  private let trust: FileTrust
  /// Users that may write this file may be members.
  private let model: String

  /// - Parameters:
  ///   - place: the store's directory.
  ///   - model: the name of a file in it: users that may write that file may write the members' files.
  package init(of consumer: String, in place: Directory, like model: String, acceptsFilesOfOthers: Bool) {
    self.consumer = consumer
    self.place = place
    self.model = model
    trust = FileTrust(in: place, acceptsFilesOfOthers: acceptsFilesOfOthers)
  }

  private static var all: String { "logstore.groups" }
  /// Nobody wants more members than that.
  private static var most: Int { 1 << 16 }

  /// Nil if the group had no member yet.
  package func folder() throws(ImmutaError) -> Directory? {
    guard let all = try io(trust.folder(Self.all, in: place)) else { return nil }
    return try io(trust.folder(consumer, in: all))
  }

  /// Takes the lowest number that nobody has.
  ///
  /// - Throws: `.foreignOwner`, `.io`.
  package func join() throws(ImmutaError) -> GroupSeat {
    let folder = try io(trust.makeFolder(consumer, in: trust.makeFolder(Self.all, in: place)))
    let model = try io(place.status(of: model))
    let folderRights = try io(folder.status().rights)
    let rights = model?.rights ?? folderRights
    for number in 0..<Self.most {
      do throws(FileError) {
        let lock = try FileLock.take(
          "\(number)", in: folder, subject: consumer, rights: rights, trust: trust, of: model)
        return GroupSeat(number, lock, try lock.descriptor.status().identity)
      } catch .locked {
        continue
      } catch {
        throw ImmutaError(error)
      }
    }
    throw .invalidConfiguration(
      "the consumer “\(consumer)” has \(Self.most) members, which is the most that it may have")
  }

  /// The numbers of the live members, in order; nil where this member's file has lost its name: then nobody sees the member.
  /// O(files in the folder): a few calls for each.
  package func numbers(with seat: GroupSeat) throws(ImmutaError) -> [Int]? {
    guard let folder = try folder(),
      try io(folder.status(of: "\(seat.number)"))?.identity == seat.identity
    else { return nil }
    return try files(in: folder).filter { number in
      number == seat.number || holder(of: number, in: folder) != nil
    }
  }

  /// The processes that are members. O(files in the folder).
  package func members() throws(ImmutaError) -> [ConsumerOwner] {
    guard let folder = try folder() else { return [] }
    return try files(in: folder).compactMap { holder(of: $0, in: folder).map(owner) }
  }

  private func files(in folder: Directory) throws(ImmutaError) -> [Int] {
    try io(folder.names()).compactMap { name in
      guard let number = Int(name), (0..<Self.most).contains(number), "\(number)" == name else { return nil }
      return number
    }.sorted()
  }

  private func holder(of number: Int, in folder: Directory) -> LockNote? {
    FileLock.holder("\(number)", in: folder, subject: consumer)
  }

  private func owner(_ note: LockNote) -> ConsumerOwner {
    ConsumerOwner(
      consumer: consumer, namespace: place.path, processID: note.processID,
      since: note.since.map { Timestamp(nanosecondsSince1970: $0) })
  }

  /// Makes the members look for changes. Does nothing if there are no members.
  package func prompt() {
    guard let folder = try? folder(), let first = try? files(in: folder).first else { return }
    // Closing it, at once, is what the kernel reports to them.
    _ = try? folder.openIfPresent("\(first)", .readWrite)
  }

  /// Removes the files of all members, none of which may be alive.
  ///
  /// - Throws: `.consumerInUse`, `.foreignOwner`, `.io`.
  package func remove() throws(ImmutaError) {
    guard let folder = try folder() else { return }
    var locks: [FileLock] = []
    defer { for lock in locks { lock.unlock() } }
    for number in try files(in: folder) {
      do throws(FileError) {
        locks.append(try FileLock.take("\(number)", in: folder, subject: consumer, rights: nil, trust: trust))
      } catch .locked(let note) {
        throw .consumerInUse(owner(note))
      } catch {
        throw ImmutaError(error)
      }
    }
    // A member that joins at this moment finds that its file has lost its name, and joins again.
    if let all = try io(place.folder(Self.all)) { try io(all.removeFolder(consumer)) }
  }
}

/// A member's number in its group, until it is released.
package struct GroupSeat: Sendable {
  package let number: Int
  private let lock: FileLock
  let identity: FileIdentity

  init(_ number: Int, _ lock: FileLock, _ identity: FileIdentity) {
    (self.number, self.lock, self.identity) = (number, lock, identity)
  }

  /// Releases the number.
  package func leave() { lock.unlock() }
}
