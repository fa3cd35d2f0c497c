import CTorch
import Foundation

/// The measured plans of this machine, which the first runner of a graph reads.
///
/// They lie in one file for each processor and instruction set, below `$XDG_CACHE_HOME/atrous/plans` or
/// `~/.cache/atrous/plans`. `ATROUS_PLANS` names another folder; `off` leaves all choices to the rules.
public enum Plans {
  /// The folder of the files; nil where plans are turned off.
  public static var folder: String? {
    let variables = ProcessInfo.processInfo.environment
    if let own = variables["ATROUS_PLANS"], !own.isEmpty { return own == "off" ? nil : own }
    if let cache = variables["XDG_CACHE_HOME"], cache.hasPrefix("/") {
      return cache + "/atrous/plans"
    }
    guard let home = variables["HOME"], !home.isEmpty else { return nil }
    return home + "/.cache/atrous/plans"
  }

  /// The processor and the instruction set that plans are for.
  public static var machine: String {
    "\(String(cString: ct_processor()).trimmingCharacters(in: .whitespaces)), \(Engine.kernels)"
  }

  /// The file of this machine; nil where plans are turned off.
  public static var file: String? {
    let name = machine.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
    return folder.map { "\($0)/\(String(name)).json" }
  }

  /// What a file holds.
  private struct Contents: Codable {
    /// What the numbers mean; files of other versions are left alone.
    static let current = "atrous plans 1"
    var format = current
    var machine: String
    var plans: [ConvolutionPlan]
  }

  /// Why a file of plans is not used.
  public struct Unusable: Error, CustomStringConvertible {
    /// The message for a person.
    public let description: String

    /// There is no place for files of plans.
    public static let turnedOff = Unusable(
      description: "measured plans are turned off by ATROUS_PLANS, or HOME names no folder for them"
    )
  }

  /// The plans of a file; none if it is not there.
  ///
  /// - Throws: ``Unusable`` for a file that cannot be read, is none of plans, or is another machine's.
  public static func read(_ path: String) throws -> [ConvolutionPlan] {
    // Most machines have none.
    guard access(path, F_OK) == 0 else { return [] }
    do {
      let contents = try JSONDecoder().decode(
        Contents.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
      guard contents.format == Contents.current else {
        throw Unusable(
          description: "it is of the form '\(contents.format)', expected '\(Contents.current)'")
      }
      guard contents.machine == machine else {
        throw Unusable(description: "it is for '\(contents.machine)', this is '\(machine)'")
      }
      return contents.plans
    } catch let error as Unusable {
      throw Unusable(description: "\(path): \(error.description)")
    } catch {
      throw Unusable(description: "\(path): it cannot be read as measured plans")
    }
  }

  /// Has prepared networks take the ways of `plans`, and the rules' elsewhere.
  ///
  /// - Throws: ``Unusable`` if one names a way that its layer has not; nothing changes then.
  public static func use(_ plans: [ConvolutionPlan]) throws {
    let numbers = plans.map { $0.numbers }
    guard ca_set_plans(numbers, Int64(numbers.count)) == 0 else {
      throw Unusable(description: "one of the plans names a way that its layer has not")
    }
  }

  /// Uses the plans of a file, the machine's own.
  ///
  /// One that cannot be used is named on the standard error and changes nothing.
  static func load(_ file: String? = file) {
    guard let file else { return }
    do {
      let plans = try read(file)
      if plans.isEmpty { return }
      do {
        try use(plans)
      } catch let error as Unusable {
        throw Unusable(description: "\(file): \(error.description)")
      }
    } catch {
      FileHandle.standardError.write(Data("warning: \(error); left alone\n".utf8))
    }
  }

  /// Reads the file at the first call.
  package static let loaded: Void = load()

  /// How this thread's last 3×3 convolution was shared out by a plan; nil by the rules.
  static var lastOrder: ConvolutionPlan.Order? { ConvolutionPlan.Order(ca_last_way().order) }

  /// Runs `body` and measures each 3×3 convolution of a prepared network in it on the maps that it gets,
  /// each way `repeats` times in turn.
  ///
  /// A way counts that took less than 95 % of the time of the rules'
  /// way twice: among all, and alone with it. Nothing else may compute meanwhile.
  public static func measuring(repeats: Int, _ body: () throws -> Void) rethrows -> [MeasuredLayer]
  {
    ca_measure(Int32(clamping: max(repeats, 1)))
    defer { ca_measure(0) }
    try body()
    var found = [ca_plan](repeating: ca_plan(), count: Int(ca_measured(nil, 0)))
    let count = ca_measured(&found, Int64(found.count))
    return found.prefix(Int(count)).map { MeasuredLayer($0) }
  }

  /// Writes the machine's file with `plans` for the layers that were measured, and what it has for others;
  /// all or nothing.
  ///
  /// - Returns: The plans that are in the file now, and its path.
  /// - Throws: ``Unusable`` where plans are turned off or the file cannot be written.
  public static func keep(
    _ plans: [ConvolutionPlan], for measured: [MeasuredLayer]
  ) throws -> (plans: [ConvolutionPlan], file: String) {
    guard let file, let folder else { throw Unusable.turnedOff }
    let again = Set(measured.map { $0.plan.layer })
    let plans = ((try? read(file)) ?? []).filter { !again.contains($0.layer) } + plans
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try write(plans, to: file)
    } catch {
      throw Unusable(description: "\(file) cannot be written: \(error.localizedDescription)")
    }
    return (plans, file)
  }

  /// Writes a file of this machine's plans, all or nothing.
  static func write(_ plans: [ConvolutionPlan], to file: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try encoder.encode(Contents(machine: machine, plans: plans))
      .write(to: URL(fileURLWithPath: file), options: .atomic)
  }
}
