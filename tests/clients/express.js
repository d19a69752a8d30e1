// A server of version 2 with Express.

import { paymentMiddleware } from "@x402/express";
import express from "express";

import { listenOn, report, routes, server } from "./offer.js";

const app = express();
app.get("/", (_request, response) => response.send("ready"));
app.use(paymentMiddleware(routes, server));
app.get(["/report", "/invoice", "/upfront"], (_request, response) => response.json(report));
app.listen(listenOn, "127.0.0.1");
