// CallTask: a call that the embedder posted to a sequence. To the engine its parts are opaque
// references, given to the release list if the task dies without having run.
#pragma once

#include "release_list.h"
#include "sequence.h"

namespace mojo_seq {

struct CallTask : public Task {
  enum class Mode : uint8_t { kPlain, kSubmit, kReply, kDelayed, kTurn };

  ~CallTask() override {
    for (void* object : {callable, arguments, keywords, context, code, extra, runner}) {
      if (object) ReleaseLater(object);
    }
  }

  Mode mode = Mode::kPlain;
  int instruction = 0;        // where in `code` the post was made
  void* callable = nullptr;   // kTurn: a mailbox
  void* arguments = nullptr;
  void* keywords = nullptr;   // kSubmit
  void* context = nullptr;    // the poster's context variables
  void* code = nullptr;       // the poster's code
  void* extra = nullptr;      // the future, or the reply and what it needs
  void* runner = nullptr;     // keeps the runner while it has tasks
};

}  // namespace mojo_seq
