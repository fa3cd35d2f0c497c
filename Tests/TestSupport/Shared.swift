import Foundation

/// Data and reference outputs that are not part of the package: the folder that `ATROUS_SHARED` names, or
/// `shared` beside the package.
package let shared: String =
  ProcessInfo.processInfo.environment["ATROUS_SHARED"]
  ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared").path

/// CamVid's folder in ``shared``, if it is there.
package let camVidFolder: String? = {
  let folder = "\(shared)/data/camvid"
  if FileManager.default.fileExists(atPath: "\(folder)/train") { return folder }
  print("\(shared)/data/camvid is not there: tests on CamVid are skipped")
  return nil
}()
