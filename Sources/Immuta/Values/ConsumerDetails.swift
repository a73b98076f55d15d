/// What is known of a consumer without opening it: see ``Log/consumers``.
public struct ConsumerDetails: Hashable, Sendable {
  /// Its name.
  public let name: String
  /// The number of the first record that it has not acknowledged; nil where its file does not say so.
  public let position: Int?
  /// How many of the existing records it has not acknowledged; nil where that is not known.
  public let lag: Int?
  /// How many records were removed before it had acknowledged them; nil where that is not known. It cannot get them any more: see
  /// ``Retention/waitingFor``. They are not counted in ``lag``.
  public let removed: Int?
  /// Who has it open; nil when nobody has.
  public let owner: ConsumerOwner?
  /// Why the consumer cannot be opened; nil where it can.
  public let fault: ImmutaError?
  /// Whether it is a ``WorkQueue``: then some jobs after its position may be done, too. False where its file does not say.
  public let isWorkQueue: Bool

  package init(
    name: String, position: Int?, lag: Int?, removed: Int? = nil, owner: ConsumerOwner?, fault: ImmutaError?,
    isWorkQueue: Bool = false
  ) {
    (self.name, self.position, self.lag, self.owner, self.fault) = (name, position, lag, owner, fault)
    (self.removed, self.isWorkQueue) = (removed, isWorkQueue)
  }
}
