/// The positions of the consumers of several logs, read again and again while they move.
struct PositionWatch {
  private let folders: [(namespace: String, folder: ConsumerFolder)]
  private var files: [StepCut.Consumer: WatchedFile] = [:]
  /// What was read of each file last.
  private var bytes: [StepCut.Consumer: [UInt8]] = [:]
  /// Errors that keep consumers from being found, by log.
  private var hidden: [String: [ImmutaError]] = [:]
  /// What is wrong with positions, by log.
  private var damaged: [String: [ImmutaError]] = [:]

  /// What is wrong with consumers, by log: such consumers are left out.
  var faults: [String: [ImmutaError]] { hidden.merging(damaged) { $0 + $1 } }

  init(_ folders: [(namespace: String, folder: ConsumerFolder)]) {
    self.folders = folders
    _ = update()
  }

  /// Finds the consumers that exist now.
  ///
  /// - Returns: whether they are the consumers that were known.
  mutating func update() -> Bool {
    hidden = [:]
    var isSame = true
    var found: [StepCut.Consumer: WatchedFile] = [:]
    for (namespace, folder) in folders {
      do throws(ImmutaError) {
        for name in try folder.names() {
          let consumer = StepCut.Consumer(namespace: namespace, name: name)
          if let known = files[consumer], try io(known.hasName) {
            found[consumer] = known
            continue
          }
          do throws(ImmutaError) {
            found[consumer] = try folder.watched(name, isKept: found.count < WatchedFile.mostKept)
            isSame = isSame && found[consumer] == nil
          } catch {
            hidden[namespace, default: []].append(error.of(namespace))
          }
        }
      } catch {
        hidden[namespace, default: []].append(error.of(namespace))
      }
    }
    isSame = isSame && found.count == files.count
    files = found
    return isSame
  }

  /// Reads all of them, as they are now.
  ///
  /// - Parameter body: called after each.
  mutating func read(_ body: () throws(ImmutaError) -> Void) throws(ImmutaError) {
    for (consumer, file) in files {
      bytes[consumer] = try? io(file.opened())?.twoSlots()
      try body()
    }
  }

  /// What was read last, without work queues, which steps do not move.
  ///
  /// - Returns: nil where one was being written at that moment and could not be read.
  mutating func positions() -> [StepCut.Consumer: StepCut.Position]? {
    damaged = [:]
    var positions: [StepCut.Consumer: StepCut.Position] = [:]
    for (consumer, file) in files {
      let read = bytes[consumer]
      do throws(ImmutaError) {
        guard let file = try io(file.opened()) else { return nil }
        do throws(ImmutaError) {
          let current = try PositionFile.current(in: read, of: file)
          if current.mark.queue != 0 { continue }
          positions[consumer] = StepCut.Position(mark: current.mark, generation: current.generation)
        } catch {
          // Damage does not change; bytes that are being written do.
          if try file.twoSlots() != read { return nil }
          throw error
        }
      } catch {
        damaged[consumer.namespace, default: []].append(error.of(consumer.namespace))
      }
    }
    return positions
  }
}
