// A stand-in for DynamoDB, in memory: dynalite, the operations on times to live that it lacks, and a look at whose key signed.

const dynalite = require("dynalite");

const server = dynalite({ createTableMs: 0, updateTableMs: 0, deleteTableMs: 0 });
const [served] = server.listeners("request");
const timesToLive = new Map();

server.removeAllListeners("request").on("request", async (request, response) => {
  const operation = request.headers["x-amz-target"]?.split(".")[1];
  if (!request.headers.authorization?.includes(`Credential=${process.argv[2]}/`)) {
    return answer(response, 400, { __type: "UnrecognizedClientException", message: "The security token is invalid." });
  }
  switch (operation) {
    case "UpdateTimeToLive": {
      const asked = await body(request);
      timesToLive.set(asked.TableName, asked.TimeToLiveSpecification);
      return answer(response, 200, { TimeToLiveSpecification: asked.TimeToLiveSpecification });
    }
    case "DescribeTimeToLive": {
      const { Enabled, AttributeName } = timesToLive.get((await body(request)).TableName) ?? { Enabled: false };
      const TimeToLiveStatus = Enabled ? "ENABLED" : "DISABLED";
      return answer(response, 200, { TimeToLiveDescription: { TimeToLiveStatus, AttributeName } });
    }
    default:
      return served(request, response);
  }
});

async function body(request) {
  let text = "";
  for await (const chunk of request) {
    text += chunk;
  }
  return JSON.parse(text);
}

function answer(response, status, document) {
  response.writeHead(status, { "content-type": "application/x-amz-json-1.0" }).end(JSON.stringify(document));
}

server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
