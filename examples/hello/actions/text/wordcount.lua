-- Counts the lines, words and bytes of a text.
return define_action({
  source = "../impl",
  entrypoint = "wordcount.sh",
  executor = "native",
  defaults = { text = "" },
  timeout = 10,
})
