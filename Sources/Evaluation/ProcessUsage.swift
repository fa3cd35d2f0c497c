import Foundation

/// What this process has used since its start.
package struct ProcessUsage {
  /// The time of the processor, all cores together.
  package let processorSeconds: Double
  /// The most memory that it has held, in units of 1024 bytes.
  package let peakKilobytes: Double

  /// What it has used until now; nil where the system does not say.
  package static var current: ProcessUsage? {
    var usage = rusage()
    #if canImport(Darwin)
      let (who, unit) = (RUSAGE_SELF, 1024.0)
    #else
      let (who, unit) = (__rusage_who_t(RUSAGE_SELF.rawValue), 1.0)
    #endif
    guard getrusage(who, &usage) == 0 else { return nil }
    return ProcessUsage(
      processorSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
      peakKilobytes: Double(usage.ru_maxrss) / unit)
  }

  private static func seconds(_ time: timeval) -> Double {
    let microseconds = Double(time.tv_usec)
    return Double(time.tv_sec) + microseconds / 1e6
  }
}
