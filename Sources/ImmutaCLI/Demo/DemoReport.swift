/// One thing that the demonstration did.
struct DemoStep: Sendable {
  let name: String
  /// What came out, or what went wrong.
  let result: String
  let isHeld: Bool
  let time: Duration
  /// Records and payload bytes that went by; 0 where that says nothing.
  var records = 0
  var bytes = 0
}

/// What the demonstration did, and how fast.
struct DemoReport: Sendable {
  let followers: Int
  var steps: [DemoStep] = []
  /// From the first step's beginning to the last one's end; some steps overlap.
  var time: Duration = .zero

  /// Whether every promise was kept.
  var isHeld: Bool { !steps.isEmpty && steps.allSatisfy(\.isHeld) }

  /// The table for people, and a line that says what it means.
  var lines: [String] {
    var table = Table([
      ("", .left), ("STEP", .left), ("RESULT", .left), ("TIME", .right), ("RECORDS/S", .right), ("MB/S", .right),
    ])
    for step in steps {
      table.add([
        step.isHeld ? "✓" : "✗",
        step.name,
        step.result,
        Quantities.time(step.time),
        Quantities.rate(step.records, in: step.time).map(Quantities.grouped) ?? "",
        Quantities.megabytes(step.bytes, in: step.time) ?? "",
      ])
    }
    return table.lines + [""] + conclusion
  }

  private var conclusion: [String] {
    if isHeld {
      [
        "Everything held: \(followers) followers read every record, whole and in order, while they were written;",
        "what was rolled back left no trace; and the log came back from disk as it was.",
      ]
    } else {
      ["Not everything held: see the step marked ✗."]
    }
  }

  /// The same for programs: an object for each step, and one for the whole.
  var json: [[UInt8]] {
    var objects = steps.map { step in
      var object = JSONObject()
      object.add("step", step.name)
      object.add("ok", step.isHeld)
      object.add("result", step.result)
      object.add("seconds", seconds: step.time)
      if step.records > 0 {
        object.add("records", step.records)
        object.add("bytes", step.bytes)
        object.add("recordsPerSecond", Quantities.rate(step.records, in: step.time))
        object.add("bytesPerSecond", Quantities.rate(step.bytes, in: step.time))
      }
      return object
    }
    var whole = JSONObject()
    whole.add("step", "all")
    whole.add("ok", isHeld)
    whole.add("result", conclusion.joined(separator: " "))
    whole.add("seconds", seconds: time)
    objects.append(whole)
    return objects.map(\.line)
  }
}
