public import Immuta

extension TypedLog where Value: Decodable & SendableMetatype {
  /// A fold over the values, kept between two runs of the program: see ``Projection``. Reads the newest snapshot, if there is
  /// one, and no record yet: call ``Projection/catchUp()`` or ``Projection/run()``.
  ///
  /// A record that does not decode stops it with `.undecodableValue`: the type must be able to read all that is in its log. To
  /// pass such records, fold the records of ``log`` and decode them with ``value(of:)``.
  ///
  /// - Parameters:
  ///   - name: the snapshot's name, as a namespace may be called; one projection of a log for each.
  ///   - initial: the state of no record.
  ///   - version: raise it when `apply` or the state's type changes what comes out: a snapshot of another version is dropped.
  ///   - saving: when to save.
  ///   - visibility: which records are added.
  ///   - stateCoder: what the state is encoded with in the snapshot. Default: JSON.
  ///   - apply: adds a value to the state. It must give the same result each time: it must not depend on the time, on chance or
  ///     on anything but its arguments. It must not use the projection. An error that it throws stops the projection in front of
  ///     the record; the state is then made again from the snapshot and the records after it, so prefer to take every record.
  /// - Throws: `.invalidConfiguration` for a name that cannot be one; `.recordRemoved` where no snapshot covers records that the
  ///   log does not have any more; `.storageClosed`, `.io`.
  public func projection<State: Codable & Sendable>(
    named name: String, initial: State, version: Int = 1, saving: SnapshotPolicy = SnapshotPolicy(),
    only visibility: StreamVisibility = .committed, stateCoder: some ValueCoder = .json,
    apply: @escaping @Sendable (_ state: inout State, _ record: TypedRecord<Value>) throws -> Void
  ) throws -> Projection<State> {
    try Projection(log, name, initial, version: version, saving, visibility, stateCoder) {
      [reading] state, record, hasBegun in
      let typed: TypedRecord<Value> = try reading.value(of: record)
      hasBegun = true
      try apply(&state, typed)
    }
  }
}

extension Log {
  /// A fold over the records, kept between two runs of the program: see ``Projection``, and `projection` of ``TypedLog`` for the
  /// parameters.
  public func projection<State: Codable & Sendable>(
    named name: String, initial: State, version: Int = 1, saving: SnapshotPolicy = SnapshotPolicy(),
    only visibility: StreamVisibility = .committed, stateCoder: some ValueCoder = .json,
    apply: @escaping @Sendable (_ state: inout State, _ record: Record) throws -> Void
  ) throws -> Projection<State> {
    try Projection(self, name, initial, version: version, saving, visibility, stateCoder) { state, record, hasBegun in
      hasBegun = true
      try apply(&state, record)
    }
  }
}
