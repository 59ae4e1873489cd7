return {
  wordcount = require("text.wordcount"),
}
