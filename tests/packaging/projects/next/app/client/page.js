"use client";

import { createElement, useEffect, useState } from "react";

import * as mps from "@mps/sdk";
import * as scanner from "@mps/sdk/scanner";

import { answerOf } from "../../answer.js";

export default function Page() {
  const [answer, setAnswer] = useState("");
  useEffect(() => {
    answerOf(mps, scanner).then((found) => setAnswer(JSON.stringify(found)), (error) => setAnswer(JSON.stringify(String(error))));
  }, []);
  return createElement("pre", {}, answer);
}
