#!/bin/sh
# Answers with its parameters.
cat
