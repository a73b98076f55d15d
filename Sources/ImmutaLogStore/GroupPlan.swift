/// Which partitions a member of a group should have, by what it sees of the others: pure.
///
/// Partitions are shared out evenly among the members, and members with lower numbers get the rest. All members compute the same
/// from the same numbers; while they do not see the same numbers, the locks of the positions let only one member have a partition
/// at a time.
enum GroupPlan {
  /// How many partitions the member at a place among the members may have.
  static func share(of place: Int, among members: Int, _ partitions: Int) -> Int {
    partitions / members + (place < partitions % members ? 1 : 0)
  }

  /// In which order a member tries to get the partitions that it does not have: each member begins at another one, so that they
  /// seldom want the same.
  static func order(for place: Int, among members: Int, _ partitions: Int) -> [Int] {
    let first = place * partitions / members
    return Array(first..<partitions) + Array(0..<first)
  }

  /// A partition that a member has.
  struct Held {
    let partition: Int
    /// Whether all that was delivered of it is acknowledged.
    let isIdle: Bool
    /// Whether it was to be given up already.
    let isLeaving: Bool
  }

  /// Which partitions to give up so that `share` remain: preferably those that can move at once, and then those that were chosen
  /// before, so that not another one has to wait each time.
  static func leaving(_ held: [Held], share: Int) -> Set<Int> {
    let order = held.sorted { one, other in
      if one.isIdle != other.isIdle { return one.isIdle }
      if one.isLeaving != other.isLeaving { return one.isLeaving }
      return one.partition > other.partition
    }
    return Set(order.prefix(max(0, held.count - share)).map(\.partition))
  }
}
