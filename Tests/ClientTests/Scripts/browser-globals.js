// As much of a browser as the official Socket.IO client uses for polling. Node only.

import { Agent, request } from 'node:http';

/** Browsers keep connections too: requests of one session then come on several of them. */
const agent = new Agent({ keepAlive: true });

/** One request, over Node's http. */
export class XMLHttpRequest {
  readyState = 0;
  status = 0;
  responseText = '';
  // The client asks whether there are these two.
  responseType = '';
  withCredentials = false;
  onreadystatechange = null;
  #method = 'GET';
  #url = '';
  #headers = {};
  #request = null;

  open(method, url) {
    [this.#method, this.#url] = [method, url];
  }

  setRequestHeader(name, value) {
    this.#headers[name] = value;
  }

  send(body) {
    const headers = { ...this.#headers };
    if (body != null) headers['Content-Length'] = Buffer.byteLength(body);
    this.#request = request(this.#url, { method: this.#method, headers, agent });
    this.#request.on('response', (response) => this.#read(response));
    this.#request.on('error', () => this.#end(0));
    this.#request.end(body ?? undefined);
  }

  abort() {
    this.onreadystatechange = null;
    this.#request?.destroy();
  }

  #read(response) {
    const pieces = [];
    response.on('data', (piece) => pieces.push(piece));
    response.on('error', () => this.#end(0));
    response.on('end', () => {
      this.responseText = Buffer.concat(pieces).toString();
      this.#end(response.statusCode);
    });
  }

  #end(status) {
    [this.readyState, this.status] = [4, status];
    this.onreadystatechange?.();
  }
}

/** Turns bytes into a data URL. */
export class FileReader {
  result = null;
  onload = null;

  readAsDataURL(blob) {
    blob.arrayBuffer().then((bytes) => {
      this.result = `data:application/octet-stream;base64,${Buffer.from(bytes).toString('base64')}`;
      this.onload?.();
    });
  }
}
