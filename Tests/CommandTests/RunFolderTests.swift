import Files
import Foundation
import Imaging
import TestSupport
import Testing

@Suite("Folders of runs and of pictures")
struct RunFolderTests {
  @Test("a run that trains is left alone by a second process, and a killed one is gone on with")
  func twoProcesses() throws {
    let whole = try Run.finished()
    let folder = try TemporaryFolder()
    let output = "\(folder.path)/run"
    let first = try Command(whole.training(output, "--set", "train.iterations=100000"))
    while Run.loggedStep(output) < 2 && first.isRunning { usleep(1000) }
    for how in [[], ["--resume"], ["--overwrite"]] {
      let second = try Command(
        whole.training(output, "--set", "train.iterations=100000") + how
      ).wait()
      second.expectRefusal(output, "process ", " on ", " trains there")
    }
    #expect(first.isRunning)
    while Run.savedStep(output) == nil && first.isRunning { usleep(1000) }
    first.send(SIGKILL)
    _ = first.wait()
    let third = try Command(
      whole.training(output, "--resume", "--set", "train.iterations=100000"))
    let step = Run.savedStep(output) ?? 0
    while (Run.savedStep(output) ?? 0) <= step && third.isRunning { usleep(1000) }
    third.send(SIGINT)
    #expect(third.wait().status == 130)
  }

  @Test("predictions in the folder of photographs are not predicted the next time")
  func twice() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let photos = "\(folder.path)/photos"
    try FileManager.default.copyItem(atPath: "\(run.folder)/images", toPath: photos)
    try Data("x".utf8).write(to: URL(fileURLWithPath: "\(photos)/IMG.HEIC"))
    let command = ["predict", run.path, photos, "--output", photos, "--panel"]
    let first = try Command(command).wait()
    #expect(first.status == 0, "\(first)")
    #expect(first.errors.contains("note: \(photos): 1 file of kinds that are not read (HEIC)"))
    let names = try FileManager.default.contentsOfDirectory(atPath: photos).sorted()
    // A photograph with three pictures each, the other file, and the summary in three forms.
    #expect(names.count == 6 * 4 + 1 + 3)
    let second = try Command(command).wait()
    #expect(second.status == 0, "\(second)")
    #expect(second.errors.contains("18 files that Atrous wrote passed over"))
    #expect(second.output == first.output)
    #expect(try FileManager.default.contentsOfDirectory(atPath: photos).sorted() == names)
  }

  @Test("names that are no text are read, and written beside what they are of")
  func bytes() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let odd = String(pathBytes: [0x63, 0x61, 0x66, 0xE9])
    let photos = "\(folder.path)/\(odd)"
    #expect(FileSystem.makeFolder(photos) == 0)
    let names = [odd, "a\nb", "-x", "a|\"b'#?%"]
    let image = try Image(contentsOf: "\(run.folder)/images/0.png")
    for name in names { try image.write(to: "\(photos)/\(name).png") }
    let all = try Command.run("predict", run.path, photos, "--output", "\(photos)-out")
    #expect(all.status == 0, "\(all)")
    #expect(all.output.contains("caf\\xE9.png: 48×40"))
    #expect(
      FileSystem.names(in: "\(photos)-out")?.filter { !$0.hasPrefix("predictions.") }
        == names.flatMap { ["\($0)_labels.png", "\($0)_overlay.png"] }.sorted())
    let one = try Command.run(
      "predict", run.path, "\(photos)/\(odd).png", "--output", photos)
    #expect(one.status == 0, "\(one)")
    #expect(FileSystem.exists("\(photos)/\(odd)_labels.png"))
    try Command.run("predict", run.path, "\(photos)/\(odd)x.png")
      .expectRefusal("caf\\xE9x.png: cannot be read: there is no such file")
  }

  @Test("a path of one letter is one")
  func letter() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let script = """
      cd "$1" && cp "$2/images/0.png" i && "$3" predict "$2/run" i --output o && ls o
      """
    let outcome = try Command(
      "/bin/sh", ["-c", script, "sh", folder.path, run.folder, Command.program]
    ).wait()
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.output.contains("i_labels.png"))
  }
}
