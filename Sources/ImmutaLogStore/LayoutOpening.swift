import Immuta

/// What a directory remembers, brought together with what the caller says.
struct LayoutOpening {
  let layout: Layout
  let routing: Routing
  private let directory: Directory
  private let acceptsFilesOfOthers: Bool
  private let trust: FileTrust

  init(
    _ directory: Directory, partitions: Int?, routing: Routing?, access: Storage.Access, acceptsFilesOfOthers: Bool
  ) throws(ImmutaError) {
    self.directory = directory
    self.acceptsFilesOfOthers = acceptsFilesOfOthers
    trust = FileTrust(in: directory, acceptsFilesOfOthers: acceptsFilesOfOthers)
    let found = try Self.found(in: directory, partitions, routing, access, trust)
    (layout, self.routing) = (found.layout, found.routing)
    if let partitions, partitions != layout.partitions {
      throw .partitioningMismatch(
        remembered: "\(layout.partitions) partitions", opened: "\(partitions) partitions")
    }
    // Before anything remembers a number of partitions that nobody can open.
    try Layout.checkCanBeOpen(layout.partitions, access, at: directory.path)
    // Before any partition or companion is made: a directory that has such files but remembers nothing has lost its layout.
    if !found.isRemembered, access == .readWrite { try settle() }
  }

  private struct Found {
    var layout: Layout
    var routing: Routing
    var isRemembered: Bool
  }

  private static func found(
    in directory: Directory, _ partitions: Int?, _ routing: Routing?, _ access: Storage.Access, _ trust: FileTrust
  ) throws(ImmutaError) -> Found {
    if let layout = try Layout(in: directory, trust, for: access) {
      return try remembered(layout, in: directory, routing, access)
    }
    do throws(ImmutaError) {
      let count = try count(in: directory, partitions, routing, access)
      let routing = try self.routing(ofUnremembered: count.isThere, in: directory, routing, access)
      let layout = Layout(partitions: count.partitions, routing: routing.name)
      return Found(layout: layout, routing: routing, isRemembered: false)
    } catch {
      // Another process may have made the store meanwhile: then only half of it was found.
      guard let layout = try Layout(in: directory, trust, for: access) else { throw error }
      return try remembered(layout, in: directory, routing, access)
    }
  }

  private static func remembered(
    _ layout: Layout, in directory: Directory, _ routing: Routing?, _ access: Storage.Access
  ) throws(ImmutaError) -> Found {
    if let beyond = try Layout.presentPartitions(in: directory).max(), beyond >= layout.partitions {
      throw .corrupted(
        Corruption(
          .layout, path: Layout.path(in: directory),
          reason:
            "it says that there are \(Quantity.of(layout.partitions, "partition")), numbered from 0, but there is "
            + "\(beyond).bilog: put the layout back, or take that file away"))
    }
    return Found(layout: layout, routing: try self.routing(of: layout, routing, access), isRemembered: true)
  }

  private static func routing(
    of layout: Layout, _ given: Routing?, _ access: Storage.Access
  ) throws(ImmutaError) -> Routing {
    if let given {
      if given.name == layout.routing { return given }
      throw .partitioningMismatch(
        remembered: "the routing “\(layout.routing)”", opened: "the routing “\(given.name)”")
    }
    if let known = Routing.named.first(where: { $0.name == layout.routing }) { return known }
    if access == .readOnly { return .unknown(named: layout.routing) }
    throw .partitioningMismatch(
      remembered: "the routing “\(layout.routing)” of its maker's", opened: "a routing chosen by default")
  }

  /// The routing of a directory that remembers nothing.
  private static func routing(
    ofUnremembered hasPartitions: Bool, in directory: Directory, _ given: Routing?, _ access: Storage.Access
  ) throws(ImmutaError) -> Routing {
    if let given { return given }
    // Another program's directory has no companions: where there are some, the layout was lost.
    guard try Layout.hasCompanions(in: directory) else { return hasPartitions ? .goCompatible : .modulo }
    if access == .readOnly { return .unknown(named: "unknown") }
    throw .invalidConfiguration(
      "\(directory.path) has lost its logstore.layout, and with it the name of the routing by which keys picked their "
        + "partitions: give the routing that the store was made with")
  }

  /// How many partitions a directory has that remembers nothing, or is to have.
  private static func count(
    in directory: Directory, _ wanted: Int?, _ routing: Routing?, _ access: Storage.Access
  ) throws(ImmutaError) -> (partitions: Int, isThere: Bool) {
    let present = try Layout.partitionFiles(in: directory)
    guard present > 0 else {
      if let wanted, access == .readWrite { return (wanted, false) }
      throw noStore(in: directory.path, access)
    }
    // The Go program never uses its last partition: if that one is missing, keys would go to other partitions from now on.
    if access == .readWrite, present > 1, wanted == nil, routing == nil, try !Layout.hasCompanions(in: directory),
      try Layout.hasMessages(present - 1, in: directory)
    {
      throw .invalidConfiguration(
        "\(directory.path) has \(present) partitions, and the last of them has messages, as the Go program's last never "
          + "has: put the partitions back that are missing; if none is, say that there are \(present)")
    }
    return (present, true)
  }

  static func noStore(in directory: String, _ access: Storage.Access) -> ImmutaError {
    .invalidConfiguration(
      "\(directory) is no store: it has no partitions"
        + (access == .readWrite ? "; to make one there, say how many it is to have" : ""))
  }

  /// The layout must still be the one that was found, or made, before the partitions' locks were taken.
  func settle() throws(ImmutaError) {
    let now =
      if let now = try Layout(in: directory, trust, for: .readWrite) { now } else {
        try layout.write(in: directory, acceptsFilesOfOthers: acceptsFilesOfOthers)
      }
    if now == layout { return }
    throw .partitioningMismatch(
      remembered: "\(now.partitions) partitions, routing “\(now.routing)”",
      opened: "\(layout.partitions) partitions, routing “\(layout.routing)”")
  }
}
