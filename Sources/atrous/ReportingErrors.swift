import ArgumentParser
import Files
import Foundation
import Torch

/// Runs a command's work: whatever fails in it ends in one message and exit status 1.
///
/// Wrong command lines never come here; the parser answers them with status 64.
func reportingErrors<R>(_ body: () throws -> R) throws -> R {
  do {
    return try attempt(body)
  } catch let code as ExitCode {
    throw code
  } catch {
    complain(describe(error))
    throw ExitCode(1)
  }
}

/// Writes `error: …` to the standard error output.
func complain(_ text: String) {
  FileHandle.standardError.write(Data("error: \(text.shown)\n".utf8))
}

/// Writes `note: …` to the standard error output.
func note(_ text: String) {
  FileHandle.standardError.write(Data("note: \(text.shown)\n".utf8))
}

/// Writes `warning: …` to the standard error output.
func warn(_ text: String) {
  FileHandle.standardError.write(Data("warning: \(text)\n".utf8))
}

/// What an error says to a person.
func describe(_ error: any Error) -> String {
  // Foundation's own errors say more in their localised description than in their own.
  if type(of: error) is NSError.Type { return error.localizedDescription }
  return "\(error)"
}
