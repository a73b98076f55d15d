public import Immuta

/// What is known of a store's consumer without opening it: see ``LogStore/consumers``.
public struct MessageConsumerDetails: Hashable, Sendable {
  /// Its name.
  public let name: String
  /// How far it has come in each partition in which it has a position, by the partition's number; which process has the position,
  /// and what is wrong with it.
  public let partitions: [Int: ConsumerDetails]
  /// The members of its group, without consumers that named their partitions.
  public let members: [ConsumerOwner]

  /// How many messages it has not acknowledged, in all these partitions; nil where that is not known of one.
  public var lag: Int? {
    var lag = 0
    for details in partitions.values {
      guard let one = details.lag else { return nil }
      lag += one
    }
    return lag
  }
}
